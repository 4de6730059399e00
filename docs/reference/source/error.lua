--- # Errors
---
--- An error that comes from another process is an object; see [errors](../errors.md). `tostring(e)` begins with the
--- original message and ends with the traceback of the process it comes from.

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
