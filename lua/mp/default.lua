--- mp.map and its kin: the same on a pool of their own, made when first used.

local core = require "mp.core"
local pools = require "mp.pool"

local default = {}

local NAMES <const> = { "map", "starmap", "imap", "imap_unordered", "apply", "each", "reduce" }

--- The functions in a table; Process: the class of the pool's workers, nil:
-- whatever the start method says.
function default.of(Process)
  local functions, pool, pid = {}, nil, nil

  local function get()
    if not pool or pid ~= core.getpid() or pool.state ~= "run" then
      pool, pid = pools.new_default(Process), core.getpid()
    end
    return pool
  end

  for _, name in ipairs(NAMES) do
    functions[name] = function(...)
      local p = get()
      return p[name](p, ...)
    end
  end
  return functions
end

return default
