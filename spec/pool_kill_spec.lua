-- time limit: 1200 s
--
-- Workers and submitters of a pool killed at random instants, and at every place
-- where something is half done. MP_ROUNDS sets how many (CI runs the default).
local helper = require "spec.helper"
local mp = require "mp"
local core = require "mp.core"

local within <const> = helper.within
local assert <const>, describe <const>, it <const> = assert, describe, it
local before_each <const>, after_each <const> = before_each, after_each
-- Busted runs this file with globals of its own, which functions that travel
-- would have to take along.
local _ENV <const> = _G -- luacheck: ignore 211

local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 100
local TASKS <const> = 100

-- Results of every kind of place: small, in shared pieces, alone, with objects.
local function work(x)
  local until_ = mp.time() + x % 7 * 20e-6
  while mp.time() < until_ do end
  if x % 10 == 1 then
    return { x, ("y"):rep(x * 37) }
  elseif x % 10 == 2 then
    return ("z"):rep(20000) .. x
  elseif x % 10 == 3 then
    return { mp.Event(), x }
  end
  return x * x
end

local function check(x, v)
  if x % 10 == 1 then
    assert(v[1] == x and #v[2] == x * 37)
  elseif x % 10 == 2 then
    assert(#v == 20000 + #tostring(x))
  elseif x % 10 == 3 then
    assert(mp.type(v[1]) == "Event" and v[2] == x)
    local _ <close> = v[1]
  else
    assert(v == x * x)
  end
end

local function kill_later(pool, delay)
  local workers = pool:stats().workers
  if #workers > 0 then
    local pid = workers[math.random(#workers)].pid
    os.execute(("(sleep %.6f; kill -9 %d) >/dev/null 2>&1 &"):format(delay, pid))
  end
end

-- One way to have all tasks done; how many were lost.
local ways = {}

function ways.map(pool)
  local lost = 0
  local results = pool:map(work, mp.range(TASKS), { on_error = "collect" })
  assert(results.n == TASKS)
  for x = 1, TASKS do
    if mp.type(results[x]) == "Error" then
      assert(results[x].kind == "lost" and results[x].signal == "SIGKILL" and results[x].index == x)
      lost = lost + 1
    else
      check(x, results[x])
    end
  end
  assert(lost == #results.errors)
  return lost
end

function ways.retried(pool)
  local results = pool:map(work, mp.range(TASKS), { retries = 3 })
  for x = 1, TASKS do
    check(x, results[x])
  end
  return 0
end

function ways.applied(pool)
  local results, lost = {}, 0
  for x = 1, TASKS do
    results[x] = pool:apply_async(work, { x })
  end
  for x = 1, TASKS do
    local ok, v = results[x]:pget()
    if ok then
      check(x, v)
    else
      assert(v.kind == "lost")
      lost = lost + 1
    end
  end
  return lost
end

local function iterated(name)
  return function(pool)
    local seen, lost, i = {}, 0, 0
    local function items()
      i = i + 1
      return i <= TASKS and i or nil
    end
    for x, v in pool[name](pool, work, items, { on_error = "collect" }) do
      assert(not seen[x])
      seen[x] = true
      if mp.type(v) == "Error" then
        assert(v.kind == "lost")
        lost = lost + 1
      else
        check(x, v)
      end
    end
    assert(#seen == TASKS)
    return lost
  end
end

ways.imap = iterated "imap"
ways.imap_unordered = iterated "imap_unordered"

local names <const> = { "map", "retried", "applied", "imap", "imap_unordered" }

describe("a pool under kill -9", function()
  before_each(helper.baseline)
  after_each(function()
    assert.equal(0, core.check())
    helper.leaks()
  end)

  it("of a random worker at a random instant loses one task at most", within(1000, function()
    helper.seed()
    local pool <close> = mp.Pool(4)
    for _ = 1, ROUNDS do
      local way = names[math.random(#names)]
      local t, before = mp.time(), pool:stats().deaths
      kill_later(pool, math.random() * 0.01)
      local lost = ways[way](pool)
      -- A kill may come late, in the next round.
      assert(lost <= pool:stats().deaths - before, way)
      assert(mp.time() - t < 10)
    end
    assert(pool:stats().deaths > ROUNDS // 4 and pool:stats().deaths <= ROUNDS)
    helper.eventually(2, function()
      pool:apply(math.abs, { 1 })
      return #pool:stats().workers == 4
    end)
  end))

  -- What a worker passes between two tasks, and around one.
  local points <const> = {
    "worker.entering", "worker.take.said", "worker.take.taken", "worker.give.chunk",
    "worker.give.written", "worker.give.stored", "worker.retry.open", "worker.leaving",
    "desk.claim.held", "desk.claim.moved", "desk.claim.done", "desk.steal.held",
    "desk.steal.taken", "desk.holding", "desk.unlinking", "desk.linking", "desk.unlocked",
    "desk.back.emptied", "note.made", "note.filled", "note.chaining", "mutex.unlocking",
    "tx.logged", "tx.changed", "tx.committed", "block.taken", "block.became", "hold.dropping",
    "hold.dropped", "ref.dropped", "block.freed", "run.cold", "run.backed",
  }

  it("of a worker at each place where something is half done", within(1000, function()
    helper.seed()
    local reached = 0
    for _, point in ipairs(points) do
      for _, nth in ipairs { 1, 2, 5, 20, 100 } do
        local first = mp.Value("i", 0)
        local pool = mp.Pool {
          processes = 3,
          initializer = function()
            if first:cas(0, 1) then
              core.testpoint(point, nth)
            end
          end,
        }
        local way = names[math.random(#names)]
        local lost = ways[way](pool)
        assert(lost <= 1, point)
        pool:close()
        pool:join()
        reached = reached + pool:stats().deaths
        pool = nil -- luacheck: ignore 311
        collectgarbage()
        assert.equal(0, core.check())
      end
    end
    assert(reached > #points, reached)
  end))

  local submitted <const> = {
    "note.made", "note.filled", "job.made", "job.filled", "job.added", "job.published",
    "job.linked", "desk.linking", "desk.unlocked", "note.chaining", "tx.changed",
    "tx.committed", "block.taken", "block.became", "job.reopened",
  }

  it("of a submitter leaves nothing to the others", within(300, function()
    helper.seed()
    local pool <close> = mp.Pool(2)
    for _, point in ipairs(submitted) do
      for _, nth in ipairs { 1, 3, 10 } do
        local p = mp.spawn(function()
          core.testpoint(point, nth)
          for _, name in ipairs(names) do
            ways[name](pool)
          end
        end)
        local deadline = mp.time() + 20
        while p:is_alive() and mp.time() < deadline do
          mp.poll(0.001)
          mp.sleep(0.0005)
        end
        assert(not p:is_alive(), point)
        p:join()
        assert.equal(0, ways.map(pool))
      end
    end
    assert.equal(0, pool:stats().deaths)
  end))

  it("of all workers again and again: what is retried is done", within(300, function()
    local pool <close> = mp.Pool(3)
    for _ = 1, 5 do
      local r = pool:map_async(function(x)
        mp.sleep(0.002)
        return x
      end, mp.range(300), { retries = { max = 20, quarantine = false } })
      for _ = 1, 4 do
        for _, w in ipairs(pool:stats().workers) do
          os.execute("kill -9 " .. w.pid .. " 2>/dev/null")
        end
        r:wait(0.1)
      end
      local list = r:get()
      for x = 1, 300 do
        assert(list[x] == x)
      end
    end
  end))

  it("and recycling loses nothing", within(300, function()
    local pool <close> = mp.Pool { processes = 3, maxtasksperchild = 2 }
    local results = pool:map(function(x)
      mp.sleep(0.0005)
      return x
    end, mp.range(20 * ROUNDS))
    for x = 1, results.n do
      assert(results[x] == x)
    end
    assert.equal(0, pool:stats().deaths)
  end))
end)
