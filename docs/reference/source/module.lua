--- # The module
---
--- ```lua
--- local mp = require "mp"
---
--- print(mp.cpu_count() .. " CPUs, " .. mp._VERSION)
--- for i, square in mp.imap(function(x) return x * x end, mp.range(1, 4)) do
---   print(i, square)
--- end
--- ```
---
--- Time is seconds, integer or float; `nil` waits for ever, `0` or less does not wait. What is
--- expected is returned (`nil, "timeout"`, `nil, "closed"`), mistakes are raised. `nil` can be sent, so
--- test the second result where it matters. Options tables refuse names they do not know.

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

--- ## Start methods
---
--- See [start methods](../start-methods.md).

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
