--- # Logging
---
--- See [logging](../managers-and-logging.md#logging).
---
--- ```lua
--- local mp = require "mp"
---
--- local logger = mp.get_logger()
--- logger:set_level "info"
--- logger:info("%d rows", 12)
--- assert(logger:recent()[1].message == "12 rows")
--- ```

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
