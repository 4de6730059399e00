--- # Waiting for many things
---
--- ```lua
--- local mp = require "mp"
---
--- local q, event = mp.Queue(), mp.Event()
--- local p = mp.spawn(function() event:set() end)
--- local ready = mp.wait({ q, event }, 5)
--- assert(#ready == 1 and ready[1] == event)
--- p:join()
--- ```

--- Waits for the first of many: connections, processes, queues, events, semaphores, results, listeners, descriptors
--- as integers. Returns those that are ready, the very objects given, in their order; `{}` when time runs out.
---@param list any[]
---@param timeout? number
---@return any[] ready
function mp.wait(list, timeout) end

--- Runs what is ready (callbacks of results, joins of children) for at most so many seconds; without an argument, all
--- of it once. Never sleeps. For programs with a loop of their own.
---@param seconds? number
---@return integer count how many it ran
function mp.poll(seconds) end

--- One descriptor that becomes readable when any object that `timeout()` or `dirty()` was asked of may be ready.
---@return integer fd
function mp.getfd() end
