-- Tests that must hold under every start method.
--
--   methods.each(function(ctx, method)
--     it("…", within(10, function()
--       ctx.spawn(…)
--     end))
--   end)
local busted = require "busted"
local helper = require "spec.helper"
local mp = require "mp"

local methods = {}

-- Calls define(ctx, method) inside a `describe` of each start method. The leak
-- checks are set up; the fork server, which stays as long as the program, runs
-- before them.
function methods.each(define)
  for _, method in ipairs(mp.get_all_start_methods()) do
    busted.describe("under " .. method, function()
      local ctx <const> = mp.get_context(method)
      busted.lazy_setup(function()
        ctx.spawn(function() end):join()
      end)
      busted.before_each(helper.baseline)
      busted.after_each(helper.leaks)
      define(ctx, method)
    end)
  end
end

return methods
