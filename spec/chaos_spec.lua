-- time limit: 600 s
--
-- Half a minute of what `./dev chaos` does for as long as one likes;
-- MP_CHAOS sets the minutes.
local helper = require "spec.helper"

describe("chaos", function()
  local minutes <const> = tonumber(os.getenv "MP_CHAOS") or 0.5

  local function run(time, short, env)
    local r <const> = helper.run_lua("spec/chaos/run.lua", {
      args = { time, short },
      env = env,
      timeout = time * 60 + 120,
    })
    assert(r.code == 0, r.out .. r.err)
    assert.matches("%d+ rounds", r.out)
  end

  it("leaves nobody hanging, nothing torn and nothing behind", function()
    run(minutes)
  end)

  it("nor in an arena that is nearly full", function()
    run(minutes / 4, "arena", { MP_ARENA = "64M" })
  end)
end)
