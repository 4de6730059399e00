--- # Values and arrays
---
--- See [values and memory](../values-and-memory.md) for the codes, and for what is one step.
---
--- ```lua
--- local mp = require "mp"
---
--- local total, cells = mp.Value("i", 0), mp.Array("d", { 1, 2, 3 })
--- local p = mp.spawn(function()
---   total:add(5)
---   cells[2] = 0.5
--- end)
--- p:join()
--- assert(total.value == 5 and cells[2] == 0.5 and #cells == 3)
--- ```

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
