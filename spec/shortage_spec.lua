-- time limit: 300 s
--
-- Memory that is refused at each place in turn: the arena's, and malloc's (Lua's
-- own included), once or from then on until the call returns.
local helper = require "spec.helper"

local build <const> = os.getenv "MP_BUILD"

local function run(kind, env)
  local options <const> = { args = { kind }, env = env, timeout = 140 }
  local r <const> = helper.run_lua("spec/shortage/run.lua", options)
  assert(r.code == 0, r.out .. r.err)
  assert.equal("", r.err)
  return tonumber(r.out:match "(%d+) shortages\n$")
end

describe("when there is no memory,", function()
  it("who asks for shared memory gets a clear error, and nothing leaks", function()
    assert.is_true(run "arena" > 50)
  end)

  for _, how in ipairs { "once", "after" } do
    it("nor malloc's: " .. how, function()
      local path <const> = build .. "/tests/shortage.so"
      if not io.open(path) then
        return pending "needs the C library's malloc: a sanitizer has its own"
      end
      local cpath <const> = build .. "/tests/?.so;" .. package.cpath
      assert.is_true(run(how, { LD_PRELOAD = path, LUA_CPATH = cpath }) > 500)
    end)
  end
end)
