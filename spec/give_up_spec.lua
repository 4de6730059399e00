-- A call that waits and is left by an error takes its tasks with it.
local helper = require "spec.helper"
local mp = require "mp"
local within <const> = helper.within

-- Calls f(…), and raises inside of it, as Ctrl-C does, once the event is set and
-- the call has come to where it waits.
local function interrupted(event, f, ...)
  local left = 10
  local before <const> = table.pack(debug.gethook())
  debug.sethook(function()
    left = event:is_set() and left - 1 or left
    if left == 0 then
      debug.sethook(table.unpack(before, 1, 3))
      error("interrupted!", 2)
    end
  end, "", 20)
  local ok <const>, err <const> = pcall(f, ...)
  debug.sethook(table.unpack(before, 1, 3))
  return ok, err
end

describe("a call that an error leaves", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  local function walk(iterator)
    return function(pool, f, items)
      for _ in pool[iterator](pool, f, items) do end
    end
  end

  local many <const> = { 1, 2, 3 }
  local ways <const> = {
    { "apply", function(pool, f) pool:apply(f, { 1 }) end },
    { "apply with options", function(pool, f) pool:apply(f, { 1 }, { timeout = 100 }) end },
    { "map", function(pool, f) pool:map(f, many) end },
    { "map of a range", function(pool, f) pool:map(f, mp.range(1000000)) end },
    { "map with retries", function(pool, f) pool:map(f, many, { retries = 5 }) end },
    { "starmap", function(pool, f) pool:starmap(f, { { 1 }, { 2 } }) end },
    { "each", function(pool, f) pool:each(f, many) end },
    { "reduce", function(pool, f) pool:reduce(f, mp.range(100)) end },
    { "imap", function(pool, f) walk "imap"(pool, f, many) end },
    { "imap_unordered", function(pool, f) walk "imap_unordered"(pool, f, many) end },
  }

  for _, way in ipairs(ways) do
    it(way[1] .. " gives up what its workers do", within(20, function()
      local pool <close> = mp.Pool(2)
      local begun <close> = mp.Event()
      local never <close> = mp.Event()
      local function task()
        begun:set()
        never:wait()
      end
      local ok, err = interrupted(begun, way[2], pool, task)
      assert.is_false(ok)
      assert.matches("interrupted!", err)
      assert.equal("4", pool:map(tostring, { 4, 5, 6 })[1]) -- would wait for ever
      assert.equal(0, pool:stats().deaths)
    end))
  end

  it("raised by on_error gives up what its workers do", within(20, function()
    local pool <close> = mp.Pool(2)
    local never <close> = mp.Event()
    local function task(x) return x == 1 and error "one" or never:wait() end
    local function raise() error("no more", 0) end
    assert.error_matches(function()
      pool:map(task, { 1, 2 }, { on_error = raise })
    end, "no more")
    assert.equal("4", pool:apply(tostring, { 4 }))
  end))

  it("an iterator that is closed gives up what its workers do", within(20, function()
    local pool <close> = mp.Pool(2)
    local never <close> = mp.Event()
    do
      local it <close> = pool:imap(function(x) return x == 1 or never:wait() end, many)
      assert.equal(1, it())
    end
    assert.equal("4", pool:map(tostring, { 4, 5, 6 })[1])
    assert.equal(0, pool:stats().deaths)
  end))

  it("a map that is cancelled gives up what its workers do", within(20, function()
    local pool <close> = mp.Pool(2)
    local begun <close> = mp.Event()
    local never <close> = mp.Event()
    local r <const> = pool:map_async(function()
      begun:set()
      never:wait()
    end, many)
    begun:wait()
    r:cancel()
    assert.equal("4", pool:map(tostring, { 4, 5, 6 })[1])
    assert.equal(0, pool:stats().deaths)
  end))

  it("leaves a result that can be asked again", within(20, function()
    local pool <close> = mp.Pool(1)
    local begun <close> = mp.Event()
    local go <close> = mp.Event()
    local r <const> = pool:apply_async(function()
      begun:set()
      return go:wait()
    end)
    assert.is_false((interrupted(begun, r.get, r)))
    go:set()
    assert.is_true(r:get())
  end))
end)
