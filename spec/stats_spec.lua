local helper = require "spec.helper"
local mp = require "mp"
local within <const> = helper.within

describe("mp.stats", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("tells what is there, by kind, and what went again", within(20, function()
    local before <const> = mp.stats()
    do
      local q <close> = mp.Queue()
      q:put(("x"):rep(1 << 20))
      local now <const> = mp.stats()
      assert.equal((before.objects.Queue or 0) + 1, now.objects.Queue)
      assert.is_true(now.sizes.bytes >= (before.sizes.bytes or 0) + (1 << 20))
      assert.is_true(now.bytes >= before.bytes + (1 << 20))
      assert.is_true(now.used >= before.used + (1 << 20) and now.used <= now.arena)
      assert.is_true(now.holds > before.holds)
    end
    local after <const> = mp.stats()
    assert.same(before.objects, after.objects)
    assert.same(before.sizes, after.sizes)
    assert.equal(before.holds, after.holds)
  end))

  it("counts processes and descriptors", within(20, function()
    local before <const> = mp.stats()
    local p <const> = mp.Process { target = mp.sleep, args = { 100 } }
    p:start()
    local file <const> = assert(io.open "/dev/null")
    local now <const> = mp.stats()
    assert.equal(before.processes + 1, now.processes)
    assert.is_true(now.descriptors > before.descriptors)
    p:kill()
    p:join()
    p:close()
    file:close()
    local after <const> = mp.stats()
    assert.equal(before.processes, after.processes)
    assert.equal(before.descriptors, after.descriptors)
  end))
end)
