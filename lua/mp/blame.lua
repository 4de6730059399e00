--- Calls that are made for the user: what is wrong with an argument is said
-- where the user's line is, and of the function that the user called.
--
-- A function raises with the place of its caller, and that is a file of ours.
-- To be called last, as `return blame("wait", core.wait, …)`: then the user's
-- line is one level above.

local OURS <const> = "^[^\n:]*mp/[%w_]+%.lua:%d+: "
local ARGUMENT <const> = "^bad argument #(%d+) to '[^'\n]*'"

local function all(...)
  return ...
end

-- No tail call: what f says of its caller has this file's name then.
local function call(f, ...)
  return all(f(...))
end

local function finish(name, ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if type(err) ~= "string" then
    error(err, 0)
  end
  local text, ours = err:gsub(OURS, "")
  local message = text:gsub(ARGUMENT, ("bad argument #%%1 to '%s'"):format(name))
  error(message, ours == 1 and 2 or 0)
end

local function blame(name, f, ...)
  return finish(name, pcall(call, f, ...))
end

return blame
