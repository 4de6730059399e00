-- time limit: 200 s
--
-- Histories of one object, recorded while processes that use it are killed, must
-- have an explanation in which every operation took effect at one instant
-- (spec/linear/checker.lua says what that means, and its limits).
-- MP_ROUNDS: how many histories of each object.
local checker = require "spec.linear.checker"
local helper = require "spec.helper"
local models = require "spec.linear.models"
local mp = require "mp"
local recorder = require "spec.linear.recorder"
local within <const> = helper.within

local ROUNDS <const> = math.tointeger(tonumber(os.getenv "MP_ROUNDS")) or 12
local EACH <const> = 150 -- operations of a process that lives
local ACTORS <const> = 4

-- Histories that are written by hand: { op, arg, call, ret, result }.
local function history(...)
  local list = {}
  for p, operations in ipairs { ... } do
    list[p] = {}
    for i, o in ipairs(operations) do
      list[p][i] = { op = o[1], arg = o[2], call = o[3], ret = o[4], result = o[5] }
    end
  end
  return list
end

describe("the checker", function()
  it("accepts what overlaps in either order", function()
    for _, seen in ipairs { false, 1 } do
      local h <const> = history({ { "set", 1, 1, 5 } }, { { "get", nil, 2, 4, seen } })
      assert.is_true(checker.check(h, models.key))
    end
  end)

  it("refuses a read of what was overwritten before it", function()
    local h <const> = history(
      { { "set", 1, 1, 2 }, { "set", 2, 3, 4 } },
      { { "get", nil, 5, 6, 1 } }
    )
    assert.is_false((checker.check(h, models.key)))
  end)

  it("refuses two reads that see a write come and go", function()
    local h <const> = history(
      { { "set", 1, 1, 10 } },
      { { "get", nil, 2, 3, 1 }, { "get", nil, 4, 5, false } }
    )
    assert.is_false((checker.check(h, models.key)))
  end)

  it("refuses a lost increment", function()
    local h <const> = history({ { "incr", 1, 1, 4, 1 } }, { { "incr", 1, 2, 3, 1 } })
    assert.is_false((checker.check(h, models.key)))
  end)

  it("takes the last call of a killed process as done, or not", function()
    local h <const> = history({ { "set", 1, 1 } }, { { "get", nil, 5, 6 } })
    for _, seen in ipairs { false, 1 } do
      h[2][1].result = seen
      assert.is_true(checker.check(h, models.key))
    end
    h[2][1].result = 2
    assert.is_false((checker.check(h, models.key)))
  end)

  it("refuses items of a queue that overtake, come twice, or get lost", function()
    local put <const> = { { "put", 1, 1, 2, true }, { "put", 2, 3, 4, true } }
    local function gets(a, b)
      return history(put, { { "get", nil, 5, 6, a }, { "get", nil, 7, 8, b } })
    end
    assert.is_true(checker.check(gets(1, 2), models.queue(9)))
    assert.is_false((checker.check(gets(2, 1), models.queue(9))))
    assert.is_false((checker.check(gets(1, 1), models.queue(9))))
    assert.is_false((checker.check(gets(1, false), models.queue(9))))
    assert.is_false((checker.check(gets(1, 2), models.queue(1))))
  end)

  it("refuses two inside a lock", function()
    local h <const> = history({ { "try", nil, 1, 2, 1 } }, { { "try", nil, 3, 4, 1 } })
    assert.is_false((checker.check(h, models.lock {})))
    assert.is_false((checker.check(h, models.lock { true })))
    h[2][1].result = 2
    assert.is_false((checker.check(h, models.lock {})))
    assert.is_true(checker.check(h, models.lock { true }))
  end)

  it("says when it gave up", function()
    local h = {}
    for p = 1, 8 do
      h[p] = {}
      for i = 1, 8 do
        h[p][i] = { op = "incr", arg = p * 100 + i, call = 1, ret = 1000, result = -1 }
      end
      h[p][8].result = -2
    end
    h[1][1].result = 101
    local found <const>, why <const> = checker.check(h, models.key, 1)
    assert.is_nil(found)
    assert.equal("undecided", why)
  end)
end)

-- What a process does with an object until its tape is full.
local actors <const> = {}

function actors.key(tape, d, me)
  local record <const> = recorder.record
  local more = true
  while more do
    local choice <const> = math.random(10)
    local value <const> = me * 1000 + math.random(9)
    if choice <= 4 then
      more = record(tape, 1, 0, function() return d.k or false end)
    elseif choice <= 6 then
      more = record(tape, 2, value, function()
        d.k = value
        return true
      end)
    elseif choice == 7 then
      more = record(tape, 3, 0, function()
        d.k = nil
        return true
      end)
    elseif choice == 8 then
      more = record(tape, 4, value, function() return mp.dict.setdefault(d, "k", value) end)
    else
      more = record(tape, 5, 1, function() return mp.dict.incr(d, "k", 1) end)
    end
  end
end

function actors.queue(tape, q, me)
  local more, n = true, 0
  while more do
    if math.random(2) == 1 then
      n = n + 1
      local value <const> = me * 1000 + n
      more = recorder.record(tape, 1, value, function() return q:put(value, 0) == true end)
    else
      more = recorder.record(tape, 2, 0, function() return (q:get(0)) or false end)
    end
  end
end

function actors.lock(tape, lock)
  local more = true
  while more do
    local got
    more = recorder.record(tape, 1, 0, function()
      local ok, abandoned = lock:acquire(0)
      got = ok
      return ok and (abandoned and 2 or 1) or 0
    end)
    if got and more then
      more = recorder.record(tape, 2, 0, function()
        lock:release()
        return true
      end)
    end
  end
end

local function act(name, tape, object, me, seed)
  math.randomseed(seed)
  actors[name](tape, object, me)
end

-- Runs ACTORS at a time, kills some of them, and lets others come in their place.
-- Returns the history, and who ended in the middle: killed, or, its tape full,
-- with a lock it had got.
local function run(name, object, names)
  local tapes, running, died = {}, {}, {}
  local function start()
    local me <const> = #tapes + 1
    local tape <const> = recorder.tape(EACH)
    tapes[me] = tape
    local p = mp.Process { target = act, args = { name, tape, object, me, math.random(1 << 30) } }
    running[#running + 1] = { p = p:start(), me = me }
  end
  for _ = 1, ACTORS do
    start()
  end
  for _ = 1, 3 do
    mp.sleep(math.random() * 0.002)
    local victim <const> = table.remove(running, math.random(#running))
    victim.p:kill()
    victim.p:join()
    if victim.p.exitcode == -9 then
      died[victim.me] = true
    end
    start()
  end
  for _, r in ipairs(running) do
    assert(r.p:join(60))
    assert.equal(0, r.p.exitcode)
  end
  local result = {}
  for i, tape in ipairs(tapes) do
    result[i] = recorder.read(tape, names)
    local last <const> = result[i][#result[i]]
    if last and last.op == "try" and last.result ~= 0 then
      died[i] = true
    end
  end
  return result, died
end

describe("a history under kills has an explanation:", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  local seed <const> = math.tointeger(tonumber(os.getenv "MP_SEED")) or os.time()

  local function rounds(what, one)
    local operations, undecided = 0, 0
    for i = 1, ROUNDS do
      math.randomseed(seed + i)
      local h, model = one()
      for _, list in ipairs(h) do
        operations = operations + #list
      end
      local found, best = checker.check(h, model)
      if found == nil then
        undecided = undecided + 1
      end
      assert(
        found ~= false,
        ("%s: none after %s operations, MP_SEED=%d, round %d"):format(what, best, seed, i)
      )
    end
    assert(operations > ROUNDS * EACH, "too few operations to mean anything")
    assert(undecided <= ROUNDS // 4, undecided .. " histories were not decided")
  end

  it("a key of a dict", within(150, function()
    rounds("dict", function()
      local d <const> = mp.dict()
      return run("key", d, { "get", "set", "remove", "insert", "incr" }), models.key
    end)
  end))

  it("a queue", within(150, function()
    rounds("queue", function()
      local q <close> = mp.Queue(5)
      return run("queue", q, { "put", "get" }), models.queue(5)
    end)
  end))

  it("a lock", within(150, function()
    rounds("lock", function()
      local lock <const> = mp.Lock()
      local h, died = run("lock", lock, { "try", "release" })
      return h, models.lock(died)
    end)
  end))
end)
