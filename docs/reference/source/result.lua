--- # Results
---
--- What `apply_async`, `map_async` and `starmap_async` return.
---
--- ```lua
--- local mp = require "mp"
---
--- local pool <close> = mp.Pool(2)
--- local results = {}
--- for i = 1, 4 do
---   results[i] = pool:apply_async(function(n) return n * n end, { i }, { label = "square of " .. i })
--- end
--- for r in mp.as_completed(results) do
---   print(r.label, r:get(), r.worker)
--- end
--- ```
---
--- A value of `nil, "timeout"` and a wait that ran out look the same in `get`; `pget` and `ready` tell them apart.

---@class mp.AsyncResult : mp.Waitable
---@field label string? as given in the options
---@field worker string? the name of the worker that did it
---@field output string? what the task printed, in a pool with `output = "capture"`
local result = {}

--- The value (all of them), or raises the task's [error](error.md).
---@param timeout? number
---@return any ...
function result:get(timeout) end

--- `true` and the value, `false` and the error, or `nil, "timeout"`.
---@param timeout? number
---@return boolean? ok
---@return any ...
function result:pget(timeout) end

--- Waits.
---@param timeout? number
---@return true|nil ready
---@return "timeout"? why
function result:wait(timeout) end

--- Whether value or error are known.
---@return boolean ready
function result:ready() end

--- Whether it is a value. Raises while that is not known.
---@return boolean successful
function result:successful() end

--- Gives the task up, or all of a map. A running one is interrupted where it next runs Lua code.
---@return "queued"|"running"|false was what it was doing; false when it was over
function result:cancel() end

--- `f(result)` is called once it is known, in a wait of this process.
---@param f fun(result: mp.AsyncResult)
---@return mp.AsyncResult self
function result:on_done(f) end

--- Iterates over results in the order in which they come. Raises an error of kind `"timeout"` when time runs out.
---@param results mp.AsyncResult[]
---@param timeout? number for all of them together
---@return fun(): mp.AsyncResult? iterator
function mp.as_completed(results, timeout) end
