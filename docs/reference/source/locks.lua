--- # Locks and the like
---
--- ```lua
--- local mp = require "mp"
---
--- local lock, log = mp.Lock(), mp.list()
--- local team = {}
--- for i = 1, 3 do
---   team[i] = mp.spawn(function()
---     local _ <close> = lock:hold()
---     log:append("in " .. i)
---     log:append("out " .. i)
---   end)
--- end
--- for _, p in ipairs(team) do p:join() end
--- assert(log[1]:match "%d" == log[2]:match "%d")
--- ```
---
--- When the holder of a lock ends in any way, the next `acquire` gets it within 100 ms and returns `true, "abandoned"`.

--- One owner at a time, in whatever process.
---@param options? mp.NameOptions
---@return mp.Lock lock
function mp.Lock(options) end

---@class mp.Lock
local lock = {}

--- Takes the lock.
---@param timeout? number
---@return true|nil acquired
---@return "timeout"|"abandoned"? word
function lock:acquire(timeout) end

--- Gives it up. Any process may; a free lock raises.
function lock:release() end

--- Takes the lock and returns a guard: `local _ <close> = lock:hold()`.
---@param timeout? number
---@return mp.Guard? guard
---@return "timeout"|"abandoned"? word
function lock:hold(timeout) end

--- Calls `f(...)` with the lock, and gives it up however that ends.
---@param f fun(...: any): any
---@param ... any
---@return any ...
function lock:with(f, ...) end

--- Whether somebody has it.
---@return boolean locked
function lock:locked() end

--- Who has it: the process's name and pid, or nil.
---@return string? name
---@return integer? pid
function lock:owner() end

--- Ends this process's use of it; a lock it holds is abandoned.
function lock:close() end

---@class mp.Guard
--- Leaving its scope gives up what `hold` took. It cannot be sent.

--- A lock that its owner may take again. Only the owner releases it.
---@param options? mp.NameOptions
---@return mp.RLock lock
function mp.RLock(options) end

---@class mp.RLock : mp.Lock

--- `value` units; 1 if left out.
---@param value? integer
---@param options? mp.NameOptions
---@return mp.Semaphore semaphore
function mp.Semaphore(value, options) end

---@class mp.Semaphore : mp.Waitable
---@field value integer units that are free
local semaphore = {}

--- Takes a unit.
---@param timeout? number
---@return true|nil acquired
---@return "timeout"? word
function semaphore:acquire(timeout) end

--- Gives a unit back.
function semaphore:release() end

--- Takes a unit and returns a guard. Units taken so come back when their holder is killed.
---@param timeout? number
---@return mp.Guard? guard
---@return "timeout"? word
function semaphore:hold(timeout) end

--- Calls `f(...)` with a unit.
---@param f fun(...: any): any
---@param ... any
---@return any ...
function semaphore:with(f, ...) end

--- Whether no unit is free.
---@return boolean locked
function semaphore:locked() end

--- The same as the field `value`, by Python's name.
---@return integer units
function semaphore:get_value() end

--- Ends this process's use of it.
function semaphore:close() end

--- A semaphore that raises when it is released more often than acquired.
---@param value? integer
---@param options? mp.NameOptions
---@return mp.BoundedSemaphore semaphore
function mp.BoundedSemaphore(value, options) end

---@class mp.BoundedSemaphore : mp.Semaphore

--- A condition; its lock is an RLock of its own if left out.
---@param lock? mp.Lock|mp.RLock
---@param options? mp.NameOptions
---@return mp.Condition condition
function mp.Condition(lock, options) end

---@class mp.Condition : mp.Lock
local condition = {}

--- Gives the lock up, waits for a notification, and takes the lock again.
---@param timeout? number
---@return true|nil notified
---@return "timeout"|"abandoned"? word
function condition:wait(timeout) end

--- Waits until `predicate()` says something true, and returns that.
---@param predicate fun(): any
---@param timeout? number
---@return any result
---@return "timeout"? why
function condition:wait_for(predicate, timeout) end

--- Wakes `n` of those that wait, 1 if left out.
---@param n? integer
---@return integer woken
function condition:notify(n) end

--- Wakes all that wait.
---@return integer woken
function condition:notify_all() end

--- A flag that processes wait for.
---@param options? mp.NameOptions
---@return mp.Event event
function mp.Event(options) end

---@class mp.Event : mp.Waitable
local event = {}

--- Sets it and wakes all that wait.
function event:set() end

--- Takes it back.
function event:clear() end

--- Whether it is set.
---@return boolean set
function event:is_set() end

--- Waits until it is set.
---@param timeout? number
---@return true|nil set
---@return "timeout"? why
function event:wait(timeout) end

--- Ends this process's use of it.
function event:close() end

--- Where `parties` processes wait for each other. The last one to come calls `action()` before all go on.
---@param parties integer
---@param action? function
---@param timeout? number of waits that name none
---@param options? mp.NameOptions
---@return mp.Barrier barrier
function mp.Barrier(parties, action, timeout, options) end

---@class mp.Barrier
---@field parties integer
---@field n_waiting integer how many wait
---@field broken boolean
local barrier = {}

--- Waits for the others. Each gets another number from 1 to `parties`. When one times out or dies inside, all others
--- get `nil, "broken"`.
---@param timeout? number
---@return integer? place
---@return "broken"? why
function barrier:wait(timeout) end

--- Breaks it.
function barrier:abort() end

--- Makes it new; those that wait get `nil, "broken"`.
function barrier:reset() end

--- Ends this process's use of it.
function barrier:close() end
