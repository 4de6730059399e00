--- mp.map and its kin: the same on a pool of their own, made when first used.

local core = require "mp.core"
local pools = require "mp.pool"

local default = {}

local pool, pid

local function get()
  if not pool or pid ~= core.getpid() or pool.state ~= "run" then
    pool, pid = pools.new_default(), core.getpid()
  end
  return pool
end

for _, name in ipairs { "map", "starmap", "imap", "imap_unordered", "apply", "each", "reduce" } do
  default[name] = function(...)
    return get()[name](get(), ...)
  end
end

return default
