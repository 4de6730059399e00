-- What is wrong with a call is said where it was called.
local helper = require "spec.helper"
local mp = require "mp"
local within <const> = helper.within

describe("a wrong argument", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("of any function or method is refused at the line of the call", within(60, function()
    local r <const> = helper.run_lua("spec/blame/run.lua", { timeout = 50 })
    assert.matches("\n0 of %d%d%d+ misplaced\n$", "\n" .. r.out)
    assert.equal(0, r.code)
  end))

  it("is counted as the caller counts", within(10, function()
    local results <const> = {}
    for what, f in pairs {
      ["argument #2 to 'wait'"] = function() mp.wait({ mp.apply_async }, "x") end,
      ["argument #2 to 'as_completed'"] = function() mp.as_completed({}, "x") end,
      ["argument #2 to 'list'"] = function() mp.list(nil, "x") end,
    } do
      local ok <const>, err <const> = pcall(f)
      if ok or not err:find(what, 1, true) then
        results[#results + 1] = tostring(err)
      end
    end
    assert.same({}, results)
  end))

  it("deep in a script of a folder called mp has that script's place", within(10, function()
    local folder <const> = os.tmpname()
    os.remove(folder)
    assert(os.execute(("mkdir -p %s/mp"):format(folder)))
    local path <const> = folder .. "/mp/wait.lua"
    local file <close> = assert(io.open(path, "w"))
    file:write "local mp = require 'mp'\nprint(pcall(function() mp.map(error, nil) end))\n"
    file:close()
    local r <const> = helper.run_lua(path)
    os.remove(path)
    os.execute(("rmdir %s/mp %s"):format(folder, folder))
    assert.matches("mp/wait%.lua:2: bad argument #2 to 'map'", r.out)
  end))
end)
