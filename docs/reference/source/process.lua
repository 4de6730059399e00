--- # Processes
---
--- ```lua
--- local mp = require "mp"
---
--- local p <close> = mp.spawn(function(a, b) return a + b end, 2, 3)
--- assert(p:result() == 5 and p.exitcode == 0)
---
--- local q <close> = mp.Process { target = print, args = { "hello from a child" }, name = "greeter" }
--- q:start()
--- ```

--- Creates and starts a process that calls `f(...)`.
---@param f function
---@param ... any
---@return mp.Process process
function mp.spawn(f, ...) end

---@class mp.ProcessClass
--- `mp.Process(f, ...)` or `mp.Process { target =, args =, name =, daemon = }` creates a process; it is not started.
---@overload fun(f: function, ...: any): mp.Process
---@overload fun(options: mp.ProcessOptions): mp.Process
mp.Process = {}

--- A class whose objects run `run(self)`. Its constructor takes the options of a process, and any further
--- fields, which become the object's.
---@param members table
---@return mp.ProcessClass class
function mp.Process:extend(members) end

---@class mp.ProcessOptions
---@field target? function what it calls
---@field args? any[] with these arguments
---@field name? string `Process-1` and so on if left out
---@field daemon? boolean whether it ends with its parent; the creator's own if left out
---@field group? nil for Python's sake; must be nil

---@class mp.Process : mp.Waitable
--- Leaving its scope joins and closes it; leaving the scope by an error terminates it first. Only the creator
--- may join it; anybody it was sent to may read `pid name exitcode sentinel` and ask `is_alive()`.
---@field name string may be set
---@field daemon boolean may be set until it is started
---@field pid integer? nil until it is started
---@field ident integer? the same
---@field exitcode integer? nil while it runs; 0 to 255, or -N when signal N ended it
---@field sentinel integer a descriptor that is readable for good once the process has ended
local process = {}

--- Starts it. A second call raises.
---@return mp.Process self
function process:start() end

--- What the process does: calls the target. Classes made by `extend` put their own in its place.
---@return any ...
function process:run() end

--- Waits for its end.
---@param timeout? number
---@return true|nil ended
---@return "timeout"? why
function process:join(timeout) end

--- Waits, and returns what the target returned; raises what it raised, or an [error](error.md) of kind `"lost"`
--- or `"exit"`.
---@param timeout? number
---@return any ...
function process:result(timeout) end

--- Whether it runs.
---@return boolean alive
function process:is_alive() end

--- Sends SIGTERM, unless it has ended: a pid that another process has by now is never signalled.
function process:terminate() end

--- Sends SIGKILL.
function process:kill() end

--- Sends SIGINT.
function process:interrupt() end

--- Frees the object. Raises while the process runs.
function process:close() end

--- ## The family

--- The object of this process. The first one is called `MainProcess`.
---@return mp.Process process
function mp.current_process() end

--- The process that started this one, with `name`, `pid`, `is_alive()` and `join(timeout)`; nil in the first.
---@return mp.Parent? parent
function mp.parent_process() end

---@class mp.Parent
---@field name string
---@field pid integer
local parent = {}

--- Whether it runs.
---@return boolean alive
function parent:is_alive() end

--- Waits for its end.
---@param timeout? number
---@return true|nil ended
---@return "timeout"? why
function parent:join(timeout) end

--- The children that run. Those that ended are joined.
---@return mp.Process[] children
function mp.active_children() end

--- `f()` is called when this process ends, the last one registered first, before its children are joined.
---@generic F: function
---@param f F
---@return F f
function mp.at_exit(f) end

--- `f()` is called in every process started from now on, before its target; workers of pools are such
--- processes.
---@generic F: function
---@param f F
---@return F f
function mp.at_worker_start(f) end
