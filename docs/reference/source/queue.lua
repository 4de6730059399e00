--- # Queues
---
--- First in, first out, in shared memory, for any number of processes; see [queues](../queues.md) for what holds when.
---
--- ```lua
--- local mp = require "mp"
---
--- local q = mp.Queue()
--- local p = mp.spawn(function() q:put_many { "a", "b" } q:close() end)
--- for item in q:items() do
---   print(item)
--- end
--- p:join()
--- assert(select(2, q:get()) == "closed")
--- ```

--- A queue; `maxsize` items at most, or without a limit.
---@param maxsize? integer
---@param options? mp.NameOptions
---@return mp.Queue queue
function mp.Queue(maxsize, options) end

---@class mp.NameOptions
--- The last argument of most constructors.
---@field name? string for messages and reports

---@class mp.Waitable
--- What queues, pipes, events, semaphores, results, processes and listeners have for event loops; see
--- [waiting](waiting.md).
local waitable = {}

--- A descriptor that becomes readable when the object may be ready.
---@return integer fd
function waitable:pollfd() end

--- What `pollfd` is to be asked for: `"r"`.
---@return string events
function waitable:events() end

--- 0 when it is ready now, otherwise nil; of a result, the seconds after which to ask again in any case.
---@return integer? seconds
function waitable:timeout() end

--- The same as `pollfd`.
---@return integer fd
function waitable:getfd() end

--- Whether it is ready now, as LuaSocket's `select` asks.
---@return boolean ready
function waitable:dirty() end

---@class mp.Queue : mp.Waitable
--- `#q` is `q:qsize()`.
local queue = {}

--- Adds a value, any but what cannot be sent, which raises. `nil, "timeout"` when it stays full.
---@param value any
---@param timeout? number
---@return true|nil done
---@return "timeout"|"closed"|"no memory"? why
function queue:put(value, timeout) end

--- The same without waiting.
---@param value any
---@return true|nil done
---@return "timeout"|"closed"|"no memory"? why
function queue:put_nowait(value) end

--- Takes the oldest value. `nil, "closed"` when the queue is closed and empty.
---@param timeout? number
---@return any value
---@return "timeout"|"closed"? why
function queue:get(timeout) end

--- The same without waiting.
---@return any value
---@return "timeout"|"closed"? why
function queue:get_nowait() end

--- Adds all values of a list, in order, without others between them as far as there is room.
---@param list any[]
---@param timeout? number
---@return true|nil done
---@return "timeout"|"closed"|"no memory"? why
---@return integer? count how many were put, if not all
function queue:put_many(list, timeout) end

--- Waits for one value, then takes those that are there, `max` at most; `n` is the list's length.
---@param max integer
---@param timeout? number
---@return any[]|nil values
---@return "timeout"|"closed"? why
function queue:get_many(max, timeout) end

--- Iterates until the queue is closed and empty, or a nil comes.
---@return fun(): any iterator
function queue:items() end

--- How many values are in it, at one instant of the call.
---@return integer count
function queue:qsize() end

--- Whether there are none.
---@return boolean empty
function queue:empty() end

--- Whether it has as many as it may.
---@return boolean full
function queue:full() end

--- Tells everybody that nothing more comes.
function queue:close() end

--- Does nothing: there is no thread.
function queue:join_thread() end

--- Does nothing.
function queue:cancel_join_thread() end

--- A queue that knows what was finished.
---@param maxsize? integer
---@param options? mp.NameOptions
---@return mp.JoinableQueue queue
function mp.JoinableQueue(maxsize, options) end

---@class mp.JoinableQueue : mp.Queue
local joinable = {}

--- Says that a value that was taken is done with. Too many calls raise.
function joinable:task_done() end

--- Waits until everything that was put is done with.
---@param timeout? number
---@return true|nil done
---@return "timeout"? why
function joinable:join(timeout) end

--- A queue of few words.
---@param options? mp.NameOptions
---@return mp.SimpleQueue queue
function mp.SimpleQueue(options) end

---@class mp.SimpleQueue : mp.Waitable
local simple = {}

--- Adds a value.
---@param value any
---@param timeout? number
---@return true|nil done
---@return "timeout"|"closed"|"no memory"? why
function simple:put(value, timeout) end

--- Takes the oldest value.
---@param timeout? number
---@return any value
---@return "timeout"|"closed"? why
function simple:get(timeout) end

--- Whether there are none.
---@return boolean empty
function simple:empty() end

--- Tells everybody that nothing more comes.
function simple:close() end
