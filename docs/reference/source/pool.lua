--- # Pools
---
--- ```lua
--- local mp = require "mp"
---
--- local pool <close> = mp.Pool(4)
--- local squares = pool:map(function(x) return x * x end, { 1, 2, 3 })
--- assert(squares[3] == 9 and squares.n == 3)
---
--- for i, length in pool:imap_unordered(string.len, { "a", "bb", "ccc" }) do
---   assert(i == length)
--- end
--- local sum = pool:reduce(function(a, b) return a + b end, mp.range(100), 0)
--- assert(sum == 5050)
--- ```
---
--- What is mapped over: a list (with its length in `n` if it may hold nil), an `mp.range`, a shared list or array, or
--- an iterator function. What is called: a function with its upvalues, a C function of a module, or a string
--- `"module.function"`. No chunk size needs to be chosen.

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

--- ## The default pool
---
--- The same methods without a pool: a pool of `mp.cpu_count()` workers is made on first use.

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
