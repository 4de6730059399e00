---@meta mp
-- The types of mp for editors (LuaLS and others that know LuaCATS).
-- Made of docs/reference/source by ./dev docs; do not edit.

---@class mp
---@field _VERSION string name and version
---@field Process mp.ProcessClass makes processes, see [processes](process.md)
---@field Manager mp.ManagerClass makes managers, see [managers](manager.md)
---@field dict mp.DictModule makes shared tables, and has their functions, see [tables](tables.md)
local mp = {}

--- How many CPUs this process may use: its affinity, the quotas of its cgroups and the variable
--- `MP_NUM_WORKERS` considered. With `"hw"`: how many the machine has.
---@param what? "usable"|"hw"
---@return integer count
function mp.cpu_count(what) end

--- Sleeps. A debug hook that raises, as Lua's own for Ctrl-C does, ends the sleep.
---@param seconds number
function mp.sleep(seconds) end

--- Seconds of a clock that only goes forward, from no particular beginning.
---@return number seconds
function mp.time() end

--- The type of one of mp's objects (`"Queue"`, `"Process"`, `"Error"`, …), or nil for anything else.
---@param x any
---@return string? name
function mp.type(x) end

--- What the family's memory holds.
---@return mp.Stats counts
function mp.stats() end

---@class mp.Stats
---@field arena integer bytes of address space
---@field used integer bytes taken, with those that are kept warm
---@field warm integer bytes freed, and kept for the next
---@field bytes integer bytes of objects
---@field objects table<string, integer> how many objects there are of each kind
---@field sizes table<string, integer> bytes of the objects of each kind
---@field processes integer
---@field holds integer handles that this process has open
---@field descriptors integer descriptors that this process has open

--- The integers from `a` to `b` as a numeric `for` counts them, to map over; it takes no memory.
--- `mp.range(b)` begins at 1.
---@param a integer
---@param b? integer
---@param step? integer not 0; 1 if left out
---@return mp.Range range
---@overload fun(b: integer): mp.Range
function mp.range(a, b, step) end

---@class mp.Range
--- A list that is computed: `r[i]` and `#r`.
---@field [integer] integer
local range = {}

--- The value as a string, from which `mp.loads` makes an equal one in any process. What can be sent can be
--- dumped, but for mp's own objects: a string could not keep them alive.
---@param value any
---@return string bytes
function mp.dumps(value) end

--- The value of a string that `mp.dumps` made. Data never runs code. Functions are bytecode, which Lua does
--- not verify, so for strings from strangers say `{ functions = false }`.
---
--- ```lua
--- local mp = require "mp"
---
--- assert(mp.loads(mp.dumps { 1, x = "y" }).x == "y")
--- local bytes = mp.dumps(function() end)
--- assert(not pcall(mp.loads, bytes, { functions = false }))
--- ```
---@param bytes string
---@param options? mp.LoadsOptions
---@return any value
function mp.loads(bytes, options) end

---@class mp.LoadsOptions
---@field functions? boolean whether functions and modules are accepted; true if left out

--- Names a metatable, so that objects with it can be sent: they arrive with the metatable that has the
--- name there. With `mt.__mp_pack(object)` and `mt.__mp_unpack(packed)` something simpler travels.
---@generic T: table
---@param name string the same in all processes
---@param mt T
---@return T mt
function mp.class(name, mt) end

--- Kills processes that the caller started, and what those started, at random instants: to see in a test
--- what becomes of a program then. Options are all optional.
---
--- ```lua
--- local mp = require "mp"
---
--- local chaos <close> = mp.chaos { rate = 20, limit = 2, workers = true, seed = 7 }
--- local pool <close> = mp.Pool(2)
--- local results = pool:map(function(x) return x + 1 end, mp.range(1000), { retries = 100 })
--- assert(results[1000] == 1001)
--- ```
---@param options? mp.ChaosOptions
---@return mp.Chaos chaos
function mp.chaos(options) end

---@class mp.ChaosOptions
---@field rate? number kills per second in the mean; 1 if left out
---@field seed? integer repeats the choices
---@field workers? boolean only workers of pools
---@field limit? integer at most so many kills

---@class mp.Chaos
--- What `mp.chaos` returns; leaving its scope stops it.
---@field rate number
---@field seed integer
local chaos = {}

--- Ends it.
---@return integer killed how many were killed
function chaos:stop() end

--- How many were killed until now.
---@return integer killed
function chaos:kills() end

--- A module like `mp` whose processes, pools and managers use one start method.
---@param method? mp.StartMethod
---@return mp context
function mp.get_context(method) end

---@alias mp.StartMethod "fork"|"forkserver"|"spawn"

--- Sets the default, once; with `force` also again.
---@param method? mp.StartMethod
---@param force? boolean
function mp.set_start_method(method, force) end

--- The default method, which is fixed by asking; with `allow_none` nil while it is not.
---@param allow_none? boolean
---@return mp.StartMethod method
function mp.get_start_method(allow_none) end

--- All methods, the default one first.
---@return mp.StartMethod[] methods
function mp.get_all_start_methods() end

--- The program that `spawn` and `forkserver` run.
---@param path string
function mp.set_executable(path) end

--- Modules that the fork server loads beforehand.
---@param modules string[]
function mp.set_forkserver_preload(modules) end

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

--- Makes a pool of so many workers; `mp.cpu_count()` if left out. Leaving its scope closes and joins it, leaving
--- the scope by an error terminates it.
---@param options? integer|mp.PoolOptions
---@return mp.Pool pool
function mp.Pool(options) end

---@class mp.PoolOptions
---@field processes? integer number of workers; 0 runs every task in the caller
---@field initializer? function called in each worker first; if it fails three times the pool is broken
---@field initargs? any[] with these arguments
---@field maxtasksperchild? integer a worker is replaced after so many tasks
---@field name? string of the pool and its workers, in messages
---@field seed? integer each task gets a stream of `math.random` of its own: the same results for any number of workers
---@field max_mem? integer bytes of Lua memory a task may take; more raises an error of kind `"memory"`
---@field nice? integer added to the workers' priority for the system, as by nice(1): -20 to 19; only root may go below 0
---@field affinity? "spread"|integer[]|integer[][] CPUs the workers may use: one each, these, or a list for each
---@field output? "inherit"|"line"|"tag"|"group"|"capture" what becomes of what tasks print: as it comes; in whole lines; each line with the worker's name; together at the task's end; in `result.output`
---@field context? mp whose start method the workers use

---@class mp.TaskOptions
--- Options of `apply_async` and of `apply`.
---@field timeout? number seconds, from the task's start; then an error of kind `"timeout"` is raised in it
---@field grace? number seconds after which a task that goes on is killed with its worker; 1 if left out
---@field retries? integer|mp.RetryOptions further attempts after errors, timeouts and lost workers
---@field priority? integer -20 to 20; higher ones begin earlier
---@field label? string for messages and errors
---@field callback? function called with the value
---@field error_callback? fun(e: any) called with the error

---@class mp.RetryOptions
---@field max? integer further attempts; 1 if left out
---@field backoff? number seconds before the first of them, doubled each time
---@field when? fun(e: any, attempts: integer): boolean whether it is tried again
---@field quarantine? boolean `false`: also tasks that killed two workers

---@class mp.MapOptions
--- Options of all that map. A number in their place is the chunk size. `imap` and `imap_unordered` have no callbacks
--- and no progress.
---@field chunksize? integer items that are handed out together; found out if left out
---@field timeout? number seconds per task, from its start
---@field grace? number as in mp.TaskOptions
---@field retries? integer|mp.RetryOptions as in mp.TaskOptions
---@field on_error? "stop"|"collect"|fun(e: any, index: integer): "stop"|"skip"|"retry" `"stop"`, the default: nothing new begins and the first error is raised; `"collect"`: errors stand among the results, and `results.errors` lists their indices
---@field progress? boolean|fun(done: integer, total: integer?, eta: number?, failed: integer) a bar on a terminal, or a function called a few times a second
---@field label? string for messages and errors
---@field priority? integer -20 to 20
---@field callback? function called with the results
---@field error_callback? fun(e: any) called with the error

---@class mp.Pool
---@field processes integer number of workers
---@field state "run"|"close"|"terminate"
---@field pending integer tasks that are not done
---@field name string? as given
local pool = {}

--- Calls `f` with the arguments in a worker, and returns what it returns.
---@generic R
---@param f string|fun(...: any): R
---@param args? any[]
---@param options? mp.TaskOptions
---@return R result
function pool:apply(f, args, options) end

--- The same, without waiting.
---@param f string|function
---@param args? any[]
---@param options? mp.TaskOptions
---@return mp.AsyncResult result
function pool:apply_async(f, args, options) end

--- The list of `f(item)` for all items, in their order; `n` is its length.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return R[] results
function pool:map(f, items, options) end

--- The same, without waiting.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return mp.AsyncResult result
function pool:map_async(f, items, options) end

--- As `map`, with items that are lists of arguments.
---@generic R
---@param f string|fun(...: any): R
---@param items any[][]|fun(): any[]?
---@param options? integer|mp.MapOptions
---@return R[] results
function pool:starmap(f, items, options) end

--- The same, without waiting.
---@generic R
---@param f string|fun(...: any): R
---@param items any[][]|fun(): any[]?
---@param options? integer|mp.MapOptions
---@return mp.AsyncResult result
function pool:starmap_async(f, items, options) end

--- `for i, v in pool:imap(f, items)`: index and result, in order, as they come. Items are pulled only a little ahead
--- of the loop; leaving the loop gives up the rest. The four results are those that `for` takes.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return mp.Iterator<R> iterator
function pool:imap(f, items, options) end

--- The same in the order in which results come; `i` tells which it is.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return mp.Iterator<R> iterator
function pool:imap_unordered(f, items, options) end

---@class mp.Iterator<R>
--- What `imap` returns, for those who want it without a loop.
---@overload fun(): integer?, any
local iterator = {}

--- The next index and value; nothing at the end.
---@param timeout? number
---@return integer? index
---@return any value
function iterator:next(timeout) end

--- Gives up the rest.
function iterator:close() end

--- Calls `f(item)` for all items and keeps no results.
---@generic T
---@param f string|fun(item: T)
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
function pool:each(f, items, options) end

--- `f(… f(f(init, t[1]), t[2]) …)`, computed in pieces: `f` must be associative.
---@generic T
---@param f string|fun(a: T, b: T): T
---@param items T[]|fun(): T?
---@param init? T
---@param options? integer|mp.MapOptions
---@return T value
function pool:reduce(f, items, init, options) end

--- No more tasks are taken; those there are get done.
function pool:close() end

--- Ends the workers and gives up all tasks.
function pool:terminate() end

--- Waits until the workers of a closed or terminated pool have left.
---@param timeout? number
---@return true|nil joined
---@return "timeout"? why
function pool:join(timeout) end

--- Waits until all workers are ready for work. Raises when some fail to start again and again.
---@return mp.Pool self
function pool:warm() end

--- What the workers did: `tasks`, `deaths`, `pending`, and in `workers` for each `name pid busy tasks seconds age`.
---@return {tasks: integer, deaths: integer, pending: integer, workers: table[]} stats
function pool:stats() end

--- As `pool:apply`.
---@generic R
---@param f string|fun(...: any): R
---@param args? any[]
---@param options? mp.TaskOptions
---@return R result
function mp.apply(f, args, options) end

--- As `pool:map`.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return R[] results
function mp.map(f, items, options) end

--- As `pool:starmap`.
---@generic R
---@param f string|fun(...: any): R
---@param items any[][]|fun(): any[]?
---@param options? integer|mp.MapOptions
---@return R[] results
function mp.starmap(f, items, options) end

--- As `pool:imap`.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return mp.Iterator<R> iterator
function mp.imap(f, items, options) end

--- As `pool:imap_unordered`.
---@generic T, R
---@param f string|fun(item: T): R
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
---@return mp.Iterator<R> iterator
function mp.imap_unordered(f, items, options) end

--- As `pool:each`.
---@generic T
---@param f string|fun(item: T)
---@param items T[]|fun(): T?
---@param options? integer|mp.MapOptions
function mp.each(f, items, options) end

--- As `pool:reduce`.
---@generic T
---@param f string|fun(a: T, b: T): T
---@param items T[]|fun(): T?
---@param init? T
---@param options? integer|mp.MapOptions
---@return T value
function mp.reduce(f, items, init, options) end

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

---@class mp.Error
---@field kind "error"|"lost"|"timeout"|"exit"|"cancelled"|"memory"|"stop" what happened
---@field message string
---@field value any what was raised
---@field traceback string? of the process it was raised in
---@field process string? its name
---@field worker string? the same, of a pool's task
---@field pid integer?
---@field exitcode integer? of a process that ended
---@field signal string? the name of the signal that ended it: `"SIGKILL"`
---@field signo integer? its number
---@field index integer? of the item in the input
---@field label string? as given in the options
---@field arguments string? of the failed task, shortened
---@field attempts integer? how often a lost task was tried
---@field kills integer? how many workers a lost task had
---@field seconds number? how long a lost task ran
---@field quarantined boolean? it is not tried again because it killed two workers
---@field out_of_memory boolean? the system killed the worker for want of memory
---@field log table[]? what a lost worker logged at last, see [logging](logging.md)
---@field output string? what the failed task printed, in a pool with `output = "capture"`
local err = {}

--- In a task: ends the whole call it belongs to, which returns `value`.
---@param value? any
function mp.stop(value) end

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

--- Two connected ends. With `false` the first one only receives, the second one only sends.
---@param duplex? boolean
---@return mp.Connection first
---@return mp.Connection second
function mp.Pipe(duplex) end

---@class mp.Connection
--- One end of a pipe, or of a socket. Leaving its scope closes it.
---@field closed boolean
---@field readable boolean whether it receives
---@field writable boolean whether it sends
local connection = {}

--- Sends a value. `nil, "closed"` when nobody has the other end any more.
---@param value any
---@param timeout? number
---@return true|nil done
---@return string? why
function connection:send(value, timeout) end

--- The next value. `nil, "closed"` when nobody has the other end and nothing is left.
---@param timeout? number
---@return any value
---@return string? why
function connection:recv(timeout) end

--- Sends bytes `i` to `j` of a string as they are.
---@param bytes string
---@param i? integer
---@param j? integer
---@return true|nil done
---@return string? why
function connection:send_bytes(bytes, i, j) end

--- The next message of bytes. One longer than `max` raises, and stays; an encrypted connection is of no more use then.
---@param max? integer
---@return string? bytes
---@return string? why
function connection:recv_bytes(max) end

--- Whether a message, or the end, is there; waits so long for it. Without an argument it does not wait.
---@param timeout? number
---@return boolean ready
function connection:poll(timeout) end

--- Iterates until the other end is closed, or a nil comes.
---@return fun(): any iterator
function connection:messages() end

--- Ends this process's use of it.
function connection:close() end

--- The descriptor of a socket.
---@return integer fd
function connection:fileno() end

--- A descriptor that becomes readable when a message may be there.
---@return integer fd
function connection:pollfd() end

--- What `pollfd` is to be asked for: `"r"`. Pipes only.
---@return string events
function connection:events() end

--- 0 when a message is there, otherwise nil. Pipes only.
---@return integer? seconds
function connection:timeout() end

--- The same as `pollfd`.
---@return integer fd
function connection:getfd() end

--- Whether a message is there. Pipes only.
---@return boolean ready
function connection:dirty() end

--- Listens. `mp.Listener(address, authkey)` is the short form.
---@param options? mp.ListenerOptions
---@return mp.Listener? listener
---@return string? why
---@return integer? errno
---@overload fun(address: string|table, authkey?: string): mp.Listener
function mp.Listener(options) end

---@class mp.ListenerOptions
---@field address? string|{[1]: string, [2]: integer} a path (Unix), or host and port (TCP), port 0 for any; a private path if left out
---@field family? "AF_UNIX"|"AF_INET"|"AF_INET6" what is made when there is no address; one that there is must fit it
---@field authkey? string what peers must know; needed for TCP
---@field backlog? integer how many may wait to be accepted
---@field functions? boolean whether functions are accepted from peers; false if left out
---@field max_message? integer bytes that a message may have

---@class mp.Listener : mp.Waitable
---@field address string|{[1]: string, [2]: integer} where it listens
---@field last_accepted any the address of the last peer
local listener = {}

--- The next connection. A peer that does not know the key raises; one that goes, or stalls for 5 seconds, before it
--- proved that it does is passed over. The listener goes on.
---@param timeout? number
---@return mp.Connection? connection
---@return string? why
---@return integer? errno
function listener:accept(timeout) end

--- Stops listening and removes a path it made.
function listener:close() end

--- Its descriptor.
---@return integer fd
function listener:fileno() end

--- Connects to a listener. Connections over TCP, on both sides, also have `keepalive(seconds)`: a peer whose machine says
--- nothing for so long (2 or more) counts as gone.
---@param address string|{[1]: string, [2]: integer}
---@param authkey? string
---@param options? mp.ClientOptions
---@return mp.Connection? connection
---@return string? why
---@return integer? errno
function mp.Client(address, authkey, options) end

---@class mp.ClientOptions
---@field timeout? number seconds for connecting and proving; 10 for proving if left out
---@field functions? boolean whether functions are accepted from the peer; false if left out
---@field max_message? integer bytes that a message may have

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

---@alias mp.Code "b"|"B"|"h"|"H"|"i"|"I"|"l"|"L"|"q"|"Q"|"f"|"d"|"c"|"?"|mp.Struct
--- What an element is: integers of 8 to 64 bits, signed or (capital) not, floats, bytes, booleans, structs.

--- One number, boolean, byte or struct. `init` is 0 if left out.
---@param code mp.Code
---@param init? any
---@param options? mp.ValueOptions
---@return mp.Value value
function mp.Value(code, init, options) end

---@class mp.ValueOptions
---@field lock? boolean|mp.Lock|mp.RLock|mp.Semaphore|mp.Condition `true`, the default: an RLock of its own; `false`: none
---@field name? string of the lock, for messages

--- The same without a lock.
---@param code mp.Code
---@param init? any
---@return mp.RawValue value
function mp.RawValue(code, init) end

---@class mp.RawValue
---@field value any read and written in one step; what is out of range raises
local rawvalue = {}

--- The same as reading `value`: Python's spelling for a manager's Value.
---@return any value
function rawvalue:get() end

--- The same as writing `value`.
---@param x any
function rawvalue:set(x) end

--- Adds in one step.
---@param n number
---@return number sum the new value
function rawvalue:add(n) end

--- Writes in one step.
---@param x any
---@return any old the value before
function rawvalue:exchange(x) end

--- Writes `new` if the value is `old`, in one step.
---@param old any
---@param new any
---@return boolean done
---@return any found the value that was there
function rawvalue:cas(old, new) end

--- Ends this process's use of it.
function rawvalue:close() end

---@class mp.Lockable
--- What a value or an array with a lock has besides. An array's `cas`, `add` and so on do not take the lock.
local lockable = {}

--- The lock.
---@return mp.Lock|mp.RLock|mp.Semaphore|mp.Condition lock
function lockable:get_lock() end

--- Takes the lock.
---@param timeout? number
---@return true|nil acquired
---@return "timeout"|"abandoned"? word
function lockable:acquire(timeout) end

--- Gives it up.
function lockable:release() end

--- Takes the lock and returns a guard.
---@param timeout? number
---@return mp.Guard? guard
---@return "timeout"|"abandoned"? word
function lockable:hold(timeout) end

--- Calls `f(...)` with the lock.
---@param f fun(...: any): any
---@param ... any
---@return any ...
function lockable:with(f, ...) end

---@class mp.Value : mp.RawValue, mp.Lockable

--- A row of elements: so many, zero, or those of a list or (of `c`) a string.
---@param code mp.Code
---@param content integer|any[]|string
---@param options? mp.ValueOptions
---@return mp.Array array
function mp.Array(code, content, options) end

--- The same without a lock.
---@param code mp.Code
---@param content integer|any[]|string
---@return mp.RawArray array
function mp.RawArray(code, content) end

---@class mp.RawArray
--- `a[i]`, `#a`, `ipairs(a)`, `pairs(a)`. Reading outside gives nil, writing outside raises. Places count as in
--- `string.sub`: negative ones from the end.
---@field code string|mp.Struct what its elements are
---@field value string? of `c`: the text up to the first zero; may be set
---@field raw string? of `c`: all bytes; may be set
---@field [integer] any
local array = {}

--- Adds to an element in one step.
---@param i integer
---@param n number
---@return number sum
function array:add(i, n) end

--- Writes an element in one step.
---@param i integer
---@param x any
---@return any old
function array:exchange(i, x) end

--- Writes `new` if the element is `old`, in one step.
---@param i integer
---@param old any
---@param new any
---@return boolean done
---@return any found
function array:cas(i, old, new) end

--- A list of elements `i` to `j`.
---@param i? integer
---@param j? integer
---@return any[] list
function array:slice(i, j) end

--- A list of all elements.
---@return any[] list
function array:totable() end

--- The bytes of elements `i` to `j`.
---@param i? integer
---@param j? integer
---@return string bytes
function array:tostring(i, j) end

--- The same, said of bytes.
---@param i? integer
---@param j? integer
---@return string bytes
function array:read(i, j) end

--- Writes a list, or bytes, from element `i` on. What is wrong with them raises before anything is written.
---@param i integer
---@param content any[]|string
function array:set(i, content) end

--- The same, said of bytes.
---@param i integer
---@param content any[]|string
function array:write(i, content) end

--- Writes one value to elements `i` to `j`.
---@param x any
---@param i? integer
---@param j? integer
function array:fill(x, i, j) end

--- Writes all elements of another array, or of a list, from the first place on.
---@param from mp.RawArray|any[]
function array:copy(from) end

--- An array on the same memory: elements `i` to `j`, as another code if one is given.
---@param i? integer
---@param j? integer
---@param code? mp.Code
---@return mp.RawArray view
function array:view(i, j, code) end

--- Ends this process's use of it.
function array:close() end

---@class mp.Array : mp.RawArray, mp.Lockable

--- A format of named members, laid out as in C, that stands where a code may: `mp.Struct { { "x", "d" }, { "at", Point },
--- { "name", "c", 16 } }`.
---@param members any[][]
---@return mp.Struct struct
function mp.Struct(members) end

---@class mp.Struct
---@field size integer bytes
---@field align integer bytes
local struct = {}

--- Where a member lies, in bytes from the beginning.
---@param name string
---@return integer bytes
function struct:offset(name) end

--- Ends this process's use of it.
function struct:close() end

--- Memory that any program attaches by its name.
---@param options mp.SharedMemoryOptions
---@return mp.SharedMemory? memory
---@return string? why
---@return integer? errno
function mp.SharedMemory(options) end

---@class mp.SharedMemoryOptions
---@field name? string up to 250 bytes without `/`; chosen if left out, with `create`
---@field create? boolean make it; without, it is attached
---@field size? integer bytes; needed with `create`
---@field persist? boolean with `create`: it stays until it is unlinked

---@class mp.SharedMemory
---@field buf mp.RawArray its bytes, with `read`, `write` and `view`
---@field name string
---@field size integer bytes
local memory = {}

--- Ends this process's use of it.
function memory:close() end

--- Takes the name away; whoever has the memory keeps it.
---@return true|nil done
---@return string? why
---@return integer? errno
function memory:unlink() end

--- A list of fixed length in named memory, of nil, booleans, numbers and strings: made of a list, or attached by
--- `{ name = }`.
---@param content any[]|mp.ShareableListOptions
---@param options? mp.ShareableListOptions
---@return mp.ShareableList? list
---@return string? why
---@return integer? errno
function mp.ShareableList(content, options) end

---@class mp.ShareableListOptions
---@field name? string
---@field persist? boolean it stays until it is unlinked

---@class mp.ShareableList
--- `l[i]`, `#l`, `pairs(l)`.
---@field format string what its places hold, as Python's `struct` says it
---@field shm mp.SharedMemory where it lies
---@field [integer] any
local shareable = {}

--- How many items are equal.
---@param value any
---@return integer count
function shareable:count(value) end

--- The place of the first item that is equal, or nil.
---@param value any
---@return integer? i
function shareable:index(value) end

--- Ends this process's use of it.
function shareable:close() end

--- A read-only image of a table of nil, booleans, numbers, strings and such tables. It is read in place, by any
--- number of processes.
---@generic T: table
---@param t T
---@param options? mp.NameOptions
---@return T image
function mp.freeze(t, options) end

---@class mp.DictModule
--- `mp.dict([t [, options]])` makes a dict. `d[k]`, `d[k] = v` and `pairs(d)` (a snapshot) are as a table's, `#d` is Lua's
--- border over integer keys. All else is a function of the module, so that no key is taken. Keys are strings,
--- numbers and booleans, values what can be sent.
---@overload fun(t?: table, options?: mp.NameOptions): mp.dict
mp.dict = {}

---@class mp.dict
---@field [any] any

--- The value of a key, or `default`.
---@param d mp.dict
---@param key any
---@param default? any
---@return any value
function mp.dict.get(d, key, default) end

--- Sets a key; with `ttl` it counts as absent after so many seconds.
---@param d mp.dict
---@param key any
---@param value any
---@param ttl? number
function mp.dict.set(d, key, value, ttl) end

--- The value of a key, which is `default` from now on if there was none.
---@param d mp.dict
---@param key any
---@param default any
---@return any value
function mp.dict.setdefault(d, key, default) end

--- Removes a key and returns its value, or `default`.
---@param d mp.dict
---@param key any
---@param default? any
---@return any value
function mp.dict.pop(d, key, default) end

--- Removes a pair and returns key and value; nothing from an empty dict.
---@param d mp.dict
---@return any key
---@return any value
function mp.dict.popitem(d) end

--- Adds `n` (1) to the number of a key, or to `init` (0) if there is none, and returns the sum.
---@param d mp.dict
---@param key any
---@param n? number
---@param init? number
---@return number sum
function mp.dict.incr(d, key, n, init) end

--- `d[key] = f(d[key])` as one step. `f` runs with nothing held, and again when another process was faster. Returns the
--- new value; nil removes the key; an error in `f` changes nothing.
---@param d mp.dict
---@param key any
---@param f fun(old: any): any
---@return any new
function mp.dict.update(d, key, f) end

--- Sets the pairs of a table, one after the other.
---@param d mp.dict
---@param t table
function mp.dict.merge(d, t) end

--- How many keys there are.
---@param d mp.dict
---@return integer count
function mp.dict.len(d) end

--- A list of the keys of one instant.
---@param d mp.dict
---@return any[] keys
function mp.dict.keys(d) end

--- A list of the values of one instant.
---@param d mp.dict
---@return any[] values
function mp.dict.values(d) end

--- A list of `{ key, value }` of one instant.
---@param d mp.dict
---@return any[][] items
function mp.dict.items(d) end

--- A plain table with the same contents, tables in it too.
---@param d mp.dict
---@return table t
function mp.dict.copy(d) end

--- Removes everything.
---@param d mp.dict
function mp.dict.clear(d) end

--- A shared list with the items of `t`.
---@param t? any[]
---@param options? mp.NameOptions
---@return mp.list list
function mp.list(t, options) end

---@class mp.list
--- `l[i]`, `#l`, `ipairs(l)`, `pairs(l)` (a snapshot). Writing is for items that are there, and the next one.
---@field [integer] any
local list = {}

--- Adds an item at the end.
---@param value any
function list:append(value) end

--- Adds an item before the one at `i`; without `i` at the end.
---@param i integer
---@param value any
---@overload fun(self: mp.list, value: any)
function list:insert(i, value) end

--- Removes the last item, or the one at `i`, and returns it.
---@param i? integer
---@return any value
function list:pop(i) end

--- Removes the first item that is equal, and returns where it was, or nil.
---@param value any
---@return integer? i
function list:remove(value) end

--- Adds all items of a list, at once.
---@param t any[]|mp.list
function list:extend(t) end

--- Sorts by `before(a, b)`, or by `<`. Equal items keep their order.
---@param before? fun(a: any, b: any): boolean
function list:sort(before) end

--- Turns it round.
function list:reverse() end

--- Where the first item is that is equal, or nil.
---@param value any
---@param from? integer
---@return integer? i
function list:index(value, from) end

--- How many items are equal.
---@param value any
---@return integer count
function list:count(value) end

--- Removes everything.
function list:clear() end

--- A plain table with the same items, tables in it too.
---@return any[] t
function list:copy() end

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

--- The logger of this process and of its children. Without a handler nothing is written.
---@return mp.Logger logger
function mp.get_logger() end

--- The same, writing lines like `[INFO/Process-1] 12 rows` to standard error.
---@param level? mp.Level
---@return mp.Logger logger
function mp.log_to_stderr(level) end

---@alias mp.Level "debug"|"info"|"warning"|"error"|"critical"

---@class mp.Record
---@field level mp.Level
---@field message string
---@field process string the process's name
---@field pid integer
---@field time number on the clock of `mp.time`

---@class mp.Logger
---@field level mp.Level what is less urgent is neither kept nor handled
local logger = {}

--- Logs. What follows the message makes it a format of `string.format`.
---@param message any
---@param ... any
function logger:debug(message, ...) end

--- The same, at level `"info"`.
---@param message any
---@param ... any
function logger:info(message, ...) end

--- The same, at level `"warning"`.
---@param message any
---@param ... any
function logger:warning(message, ...) end

--- The same, at level `"error"`.
---@param message any
---@param ... any
function logger:error(message, ...) end

--- The same, at level `"critical"`.
---@param message any
---@param ... any
function logger:critical(message, ...) end

--- Sets the level.
---@param level mp.Level
function logger:set_level(level) end

--- `f(record)` is called for each record of this process. What is logged in a handler is kept and written, but handed to none.
---@generic F: fun(record: mp.Record)
---@param f F
---@return F f
function logger:add_handler(f) end

--- Takes a handler away.
---@param f function
---@return boolean found
function logger:remove_handler(f) end

--- The last `n` records of a process, or of all, the oldest first; 256 at most, those of dead processes too.
---@param pid? integer
---@param n? integer
---@return mp.Record[] records
function logger:recent(pid, n) end

--- How many records found no place.
---@return integer count
function logger:dropped() end

return mp
