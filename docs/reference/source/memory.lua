--- # Named memory and frozen tables
---
--- ```lua
--- local mp = require "mp"
---
--- local m <close> = mp.SharedMemory { create = true, size = 64 }
--- m.buf:write(1, "any program can map this")
--- assert(m.buf:read(1, 3) == "any")
---
--- local config <close> = mp.freeze { limits = { 10, 20 } }
--- assert(config.limits[2] == 20)
--- ```

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
