--- # Shared tables
---
--- They lie in shared memory: no server, no round trip. Plain tables that are put into one become shared themselves.
---
--- ```lua
--- local mp = require "mp"
---
--- local d = mp.dict { seen = {} }
--- local l = mp.list { 3, 1, 2 }
--- local p = mp.spawn(function()
---   d.seen.child = true
---   mp.dict.incr(d, "count")
---   l:append(0)
--- end)
--- p:join()
--- l:sort()
--- assert(d.seen.child and d.count == 1 and l[1] == 0)
--- ```

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
