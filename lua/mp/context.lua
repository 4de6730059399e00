--- Contexts: everything of mp with a start method of its own.

local blame = require "mp.blame"
local core = require "mp.core"
local default = require "mp.default"
local manager = require "mp.manager"
local pools = require "mp.pool"
local process = require "mp.process"
local start = require "mp.start"

local context = {}

--- Makes the function mp.get_context for a table of everything there is.
function context.of(mp)
  local contexts = {}
  local meta = { __index = mp, __name = "mp.Context" }

  local function make(method)
    local ctx = {
      Process = process.Process:with_start_method(method),
      get_start_method = function()
        return method
      end,
      set_start_method = function()
        blame.raise("cannot set start method of concrete context")
      end,
    }
    function ctx.get_context(other)
      return other == nil and ctx or mp.get_context(other)
    end
    function ctx.Pool(options)
      return pools.new_in(options, ctx.Process)
    end
    function ctx.spawn(f, ...)
      return ctx.Process(f, ...):start()
    end
    ctx.Manager = manager.of(ctx)
    for name, f in pairs(default.of(ctx.Process)) do
      ctx[name] = f
    end
    return setmetatable(ctx, meta)
  end

  local function get(method)
    if method == nil then
      start.get_start_method()
      return mp
    end
    start.check(method, 2)
    contexts[method] = contexts[method] or make(method)
    return contexts[method]
  end

  -- A context is the receiver's own of that method.
  meta.__mp_pack = function(self)
    return self.get_start_method()
  end
  meta.__mp_unpack = get
  core.class(meta.__name, meta)
  return get
end

return context
