--- # Managers
---
--- See [managers](../managers-and-logging.md) for what a manager is for.
---
--- ```lua
--- local mp = require "mp"
---
--- local Counter = {}
--- Counter.__index = Counter
--- function Counter.new(n) return setmetatable({ n = n }, Counter) end
--- function Counter:add(k) self.n = self.n + k return self.n end
---
--- local manager <close> = mp.Manager()
--- manager:register("Counter", Counter)
--- local counter = manager:Counter(10)
--- local p <close> = mp.spawn(function(c) return c:add(5) end, counter)
--- assert(p:result() == 15 and counter:add(0) == 15)
--- ```

---@class mp.ManagerClass
--- `mp.Manager([options])` makes a manager. Leaving its scope shuts it down.
---@overload fun(options?: mp.ManagerOptions): mp.Manager
mp.Manager = {}

---@class mp.ManagerOptions
---@field name? string for messages
---@field address? string|{[1]: string, [2]: integer} where other programs reach it
---@field authkey? string what they must know; needed for TCP
---@field functions? boolean whether functions are accepted from them; false if left out
---@field max_message? integer bytes that a message may have

--- The manager of another program: what it makes is made there, and used from here. See [from other
--- machines](../managers-and-logging.md#from-other-machines).
---@param address string|{[1]: string, [2]: integer}
---@param authkey? string
---@param options? mp.ConnectOptions
---@return mp.Manager? manager
---@return string? why
---@return integer? errno
---@overload fun(options: mp.ConnectOptions): mp.Manager?, string?, integer?
function mp.Manager.connect(address, authkey, options) end

---@class mp.ConnectOptions
---@field address? string|{[1]: string, [2]: integer} in the short form, with all in one table
---@field authkey? string likewise
---@field timeout? number seconds for connecting and proving
---@field functions? boolean whether functions are accepted from there; false if left out
---@field max_message? integer bytes that a message may have

---@class mp.Manager
--- `manager:Name(...)` makes an object of a class registered as `Name` and returns a proxy, whose methods run in the
--- manager's process.
---@field pid integer? of its process, which asking starts; nil once it is shut down
---@field address any where other programs reach it
local manager = {}

--- Names a class: a table with `new`, or something to call, that makes objects in the manager's process.
---@param name string
---@param class table|function
function manager:register(name, class) end

--- Waits for the end of its process: for programs that only serve.
---@param timeout? number
---@return true|nil ended
---@return "timeout"? why
function manager:join(timeout) end

--- Ends its process and the objects in it. What lies in shared memory lives on.
function manager:shutdown() end

--- A shared table that reads like an object: any field; those that begin with `_` stay in the process.
---@param fields? table
---@return table namespace
function manager:Namespace(fields) end

--- The same as `mp.dict`.
---@param t? table
---@param options? mp.NameOptions
---@return mp.dict dict
function manager:dict(t, options) end

--- The same as `mp.list`.
---@param t? any[]
---@param options? mp.NameOptions
---@return mp.list list
function manager:list(t, options) end

--- The same as `mp.Queue`.
---@param maxsize? integer
---@param options? mp.NameOptions
---@return mp.Queue queue
function manager:Queue(maxsize, options) end

--- The same as `mp.JoinableQueue`.
---@param maxsize? integer
---@param options? mp.NameOptions
---@return mp.JoinableQueue queue
function manager:JoinableQueue(maxsize, options) end

--- The same as `mp.Lock`.
---@param options? mp.NameOptions
---@return mp.Lock lock
function manager:Lock(options) end

--- The same as `mp.RLock`.
---@param options? mp.NameOptions
---@return mp.RLock lock
function manager:RLock(options) end

--- The same as `mp.Semaphore`.
---@param value? integer
---@param options? mp.NameOptions
---@return mp.Semaphore semaphore
function manager:Semaphore(value, options) end

--- The same as `mp.BoundedSemaphore`.
---@param value? integer
---@param options? mp.NameOptions
---@return mp.BoundedSemaphore semaphore
function manager:BoundedSemaphore(value, options) end

--- The same as `mp.Condition`.
---@param lock? mp.Lock|mp.RLock
---@param options? mp.NameOptions
---@return mp.Condition condition
function manager:Condition(lock, options) end

--- The same as `mp.Event`.
---@param options? mp.NameOptions
---@return mp.Event event
function manager:Event(options) end

--- The same as `mp.Barrier`.
---@param parties integer
---@param action? function
---@param timeout? number
---@param options? mp.NameOptions
---@return mp.Barrier barrier
function manager:Barrier(parties, action, timeout, options) end

--- The same as `mp.Value`.
---@param code mp.Code
---@param init? any
---@param options? mp.ValueOptions
---@return mp.Value value
function manager:Value(code, init, options) end

--- The same as `mp.Array`.
---@param code mp.Code
---@param content integer|any[]|string
---@param options? mp.ValueOptions
---@return mp.Array array
function manager:Array(code, content, options) end

--- The same as `mp.Pool`.
---@param options? integer|mp.PoolOptions
---@return mp.Pool pool
function manager:Pool(options) end
