--- The variables of the environment that mp obeys: what is no value of theirs is
-- refused, not passed over.

local blame = require "mp.blame"

local environment = {}

local function refuse(name, value, expected)
  blame.raise("variable %s of the environment: %s expected, got '%s'", name, expected, value)
end

function environment.check()
  local arena = os.getenv "MP_ARENA"
  if arena and arena ~= "" and not arena:find "^[1-9]%d*[KkMmGg]?$" then
    refuse("MP_ARENA", arena, "a size as '512M' or '64G'")
  end
  local workers = os.getenv "MP_NUM_WORKERS"
  if workers and workers ~= "" and not workers:find "^[1-9]%d*$" then
    refuse("MP_NUM_WORKERS", workers, "a positive integer")
  end
end

return environment
