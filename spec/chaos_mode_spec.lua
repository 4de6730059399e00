-- collector: not forced, for kills go by the clock and a worker must get started
-- mp.chaos, which users turn on in their own tests. What `./dev chaos` does to
-- mp itself is in chaos_spec.lua.
local helper = require "spec.helper"
local mp = require "mp"
local within <const> = helper.within

describe("mp.chaos", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  local function square(x)
    mp.sleep(0.002)
    return x * x
  end

  local OPTIONS <const> = { retries = 1000, on_error = "collect" }

  local function kill_workers(method)
    local pool <close> = mp.get_context(method).Pool(2)
    local chaos <close> = mp.chaos { rate = 50, seed = 7, workers = true }
    repeat
      local results <const> = pool:map(square, mp.range(100), OPTIONS)
      for i = 1, 100 do
        -- Who killed two workers is not tried a third time.
        assert(results[i] == i * i or results[i].kind == "lost", tostring(results[i]))
      end
    until chaos:kills() >= 5
    assert.equal(7, chaos.seed)
  end

  it("kills workers while a pool gives the right results", within(60, function()
    kill_workers "fork"
    kill_workers "spawn"
  end))

  it("kills any descendant, but neither the caller nor its killer", within(30, function()
    local tree <const> = mp.Process {
      target = function()
        local child = mp.Process { target = mp.sleep, args = { 1000 }, daemon = true }
        child:start()
        mp.sleep(1000)
      end,
    }
    tree:start()
    local chaos <const> = mp.chaos { rate = 1000 }
    assert(tree:join(20))
    assert.equal(-9, tree.exitcode)
    helper.eventually(10, function() return chaos:kills() >= 1 end)
    assert.is_true(chaos.child:is_alive())
    assert.is_true(chaos:stop() >= 1)
  end))

  it("stops after so many, and when it is told to", within(30, function()
    local chaos <close> = mp.chaos { rate = 1000, limit = 2 }
    for _ = 1, 2 do
      local p = mp.Process { target = mp.sleep, args = { 1000 } }
      p:start()
      assert(p:join(20))
      assert.equal(-9, p.exitcode)
    end
    chaos.child:join()
    assert.equal(2, chaos:stop())
    assert.equal(2, chaos:stop())
    assert.matches("^mp.Chaos: rate 1000/s, seed %-?%d+, 2 killed$", tostring(chaos))
  end))

  it("leaves alone what is not its caller's", within(30, function()
    local sister <const> = mp.Process { target = mp.sleep, args = { 1000 } }
    sister:start()
    local other <const> = mp.spawn(function()
      local chaos <close> = mp.chaos { rate = 1000, limit = 3 }
      for _ = 1, 3 do
        local p = mp.Process { target = mp.sleep, args = { 1000 } }
        p:start()
        p:join()
      end
      return chaos:stop()
    end)
    assert.equal(3, other:result())
    assert.is_true(sister:is_alive())
    sister:kill()
    sister:join()
  end))

  it("refuses what it does not know", function()
    local function refused(options, message)
      assert.error_matches(function() mp.chaos(options) end, message, 1, true)
    end
    refused(3, "bad argument #1 to 'chaos' (table expected, got number)")
    refused({ rat = 1 }, "bad argument #1 to 'chaos' (invalid option 'rat')")
    for _, rate in ipairs { 0, -1, 0 / 0, "fast" } do
      refused({ rate = rate }, "bad option 'rate' to 'chaos' (positive number expected, got ")
    end
    refused({ limit = 1.5 }, "(positive integer expected, got 1.5)")
    refused({ seed = 1.5 }, "bad option 'seed' to 'chaos' (integer expected)")
  end)
end)
