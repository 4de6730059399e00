-- time limit: 400 s
--
-- Half a minute of what `./dev chaos` does for as long as one likes;
-- MP_CHAOS sets the minutes.
local helper = require "spec.helper"

describe("chaos", function()
  it("leaves nobody hanging, nothing torn and nothing behind", function()
    local minutes <const> = tonumber(os.getenv "MP_CHAOS") or 0.5
    local r <const> = helper.run_lua("spec/chaos/run.lua", {
      args = { minutes },
      timeout = minutes * 60 + 120,
    })
    assert(r.code == 0, r.out .. r.err)
    assert.matches("%d+ rounds", r.out)
  end)
end)
