-- time limit: 1200 s
--
-- kill -9 of processes that put and get, at random instants and at random test
-- points, in the middle of 10-byte and of 10 MB messages. MP_ROUNDS sets how
-- many kills there are in all (300 by default).
local helper = require "spec.helper"
local mp = require "mp"
local core = require "mp.core"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 300

-- Texts that differ in every part: a message made of two of them shows.
local texts = { short = {}, long = {} }
for i = 1, 5 do
  texts.short[i] = ("text %05d"):format(i)
  texts.long[i] = ("%09d,"):format(i * 111111111):rep(1 << 20)
end

local function text(length, number)
  return texts[length][number % 5 + 1]
end

-- Some of the messages carry an object.
local function message(length, number)
  if number % 7 == 0 then
    local inner = mp.Queue()
    inner:put(number)
    return { number = number, text = text(length, number), inner = inner }
  elseif number % 7 == 1 then
    return number .. " " .. text(length, number)
  end
  return { number = number, text = text(length, number) }
end

-- Its number. length: "short", "long", or which of them for a number.
local function check(m, length)
  local number, got, inner
  if type(m) == "string" then
    number, got = m:match "^(%d+) (.*)$"
    number = math.tointeger(tonumber(number))
  else
    number, got, inner = m.number, m.text, m.inner
  end
  local own_length <const> = type(length) == "function" and length(number) or length
  assert(got == text(own_length, number), "a message is not whole")
  if inner then
    assert(inner:get(5) == number)
    local _ <close> = inner
  end
  return number
end

-- Half of the victims kill themselves at a test point, if they get there.
local function arm()
  if math.random(2) == 1 then
    core.testpoint("*", math.random(400))
  end
end

local function putter(q, length, seed, account)
  math.randomseed(seed)
  arm()
  for i = 1, math.maxinteger do
    account[1] = i
    q:put(message(length, i))
    account[2] = i
  end
end

local function getter(q, length, seed, account)
  math.randomseed(seed)
  arm()
  for i = 1, math.maxinteger do
    account[1] = i
    local m = q:get()
    account[2] = i
    check(m, length)
  end
end

local function strike(p, length)
  mp.sleep(math.random() * (length == "long" and 0.05 or 0.006))
  p:kill()
  p:join()
  assert.equal(-9, p.exitcode)
  p:close()
end

-- Gets what is there: the numbers of a row from `first` on.
local function drain(q, length, first)
  local n <const> = q:qsize()
  local numbers = {}
  for i = 1, n do
    numbers[i] = check(q:get(5), length)
    assert.equal(first and first + i - 1 or numbers[1] + i - 1, numbers[i])
  end
  assert.equal(0, q:qsize())
  assert.same({ nil, "timeout" }, { q:get(0) })
  return numbers
end

local function kill_putters(length, rounds)
  local seed <const> = helper.seed()
  local q <close> = mp.Queue()
  local account <close> = mp.RawArray("q", 2)
  for round = 1, rounds do
    account[1], account[2] = 0, 0
    strike(mp.spawn(putter, q, length, seed + round, account), length)
    local numbers = drain(q, length, 1)
    -- All that was put is there, and perhaps the one in hand.
    assert(#numbers == account[2] or #numbers == account[1])
    assert.is_true(q:put "still works", 1)
    assert.equal("still works", q:get(1))
  end
end

local function kill_getters(length, rounds)
  local seed <const> = helper.seed()
  local q <close> = mp.Queue()
  local account <close> = mp.RawArray("q", 2)
  local all <const> = length == "long" and 4 or 200
  for round = 1, rounds do
    account[1], account[2] = 0, 0
    for i = 1, all do
      q:put(message(length, i))
    end
    collectgarbage()
    strike(mp.spawn(getter, q, length, seed + round, account), length)
    local numbers = drain(q, length)
    -- What it had not got is still there, but perhaps for the one in hand.
    local left = all - account[2]
    assert(#numbers == left or #numbers == left - 1 and account[1] > account[2])
    assert(#numbers == 0 or numbers[#numbers] == all)
    assert.is_true(q:put "still works", 1)
    assert.equal("still works", q:get(1))
  end
end

-- Now and then a long one.
local function length_of(number)
  return number % 50 == 0 and "long" or "short"
end

-- Two that put and two that get; one after the other is killed and replaced.
-- Each message has a number, and put and got say what became of it.
local function kill_some_of_many(rounds, bound)
  local seed <const> = helper.seed()
  local q <close>, last = mp.Queue(bound), mp.RawValue("q", 0)
  local put <const>, got <const> = mp.RawArray("B", 1 << 22), mp.RawArray("B", 1 << 22)
  local turns <const> = mp.RawArray("q", 4)

  local function take(i, m)
    got:add(check(m, length_of), 1)
    turns[i] = turns[i] + 1
  end
  local function work(i, own_seed)
    math.randomseed(own_seed)
    arm()
    while i <= 2 do
      local number <const> = last:add(1)
      if not q:put(message(length_of(number), number)) then
        return
      end
      put[number] = 1
      turns[i] = turns[i] + 1
    end
    for m in q:items() do
      take(i, m)
    end
  end

  local team, killed = {}, { 0, 0, 0, 0 }
  local function start(i, round)
    team[i] = mp.spawn(work, i, seed + 4 * round + i)
  end
  local function finish(i)
    team[i]:join()
    killed[i] = killed[i] + (team[i].exitcode == -9 and 1 or 0)
    assert(team[i].exitcode == -9 or team[i].exitcode == 0)
    team[i]:close()
  end
  for i = 1, 4 do start(i, 0) end
  for round = 1, rounds do
    local i <const> = math.random(4)
    mp.sleep(math.random() * 0.006)
    team[i]:kill()
    finish(i)
    start(i, round)
    if round % 10 == 0 then -- the others go on
      for k = 1, 4 do
        local seen <const> = turns[k]
        helper.eventually(20, function()
          return turns[k] > seen or not team[k]:is_alive() or not team[(k - 1 ~ 2) + 1]:is_alive()
        end)
      end
    end
  end
  q:close()
  for i = 1, 4 do finish(i) end
  for m in q:items() do
    take(1, m)
  end

  local lost, unsure = 0, 0
  for number = 1, last.value do
    assert(got[number] <= 1, "a message was got twice")
    if put[number] ~= got[number] then
      lost, unsure = lost + put[number], unsure + got[number]
    end
  end
  -- What was killed takes along the message it had just got, or leaves one of
  -- which it had no time to say that it was put.
  assert(lost <= killed[3] + killed[4], "more was lost than the killed had in hand")
  assert(unsure <= killed[1] + killed[2])
  for _, shared in ipairs { last, put, got, turns } do
    local _ <close> = shared
  end
end

describe("kill -9 in the middle of a queue's work", function()
  before_each(helper.baseline)
  after_each(function()
    core.sweep()
    assert.equal(0, core.check())
    helper.leaks()
  end)

  it("of a putter of 10 bytes: nothing is lost, nothing is half", within(1000, function()
    kill_putters("short", ROUNDS // 3)
  end))

  it("of a getter of 10 bytes: the rest is still there", within(1000, function()
    kill_getters("short", ROUNDS // 3)
  end))

  it("of a putter of 10 MB", within(1000, function()
    kill_putters("long", ROUNDS // 6)
  end))

  it("of a getter of 10 MB", within(1000, function()
    kill_getters("long", ROUNDS // 6)
  end))

  it("of some of many: the others go on, and lose nothing", within(1000, function()
    kill_some_of_many(ROUNDS // 3, 200)
    kill_some_of_many(ROUNDS // 6, 3)
  end))

  it("of those who wait: the others are woken", within(60, function()
    local q <close> = mp.Queue(1)
    local told <close> = mp.Queue()
    for round = 1, 10 do
      local team = {}
      for i = 1, 3 do
        team[i] = mp.spawn(function()
          told:put "here"
          told:put(q:get(20))
        end)
      end
      for _ = 1, 3 do
        assert.equal("here", told:get(10))
      end
      mp.sleep(0.005)
      local victim <const> = round % 3 + 1
      team[victim]:kill()
      q:put(1)
      q:put(2)
      assert.equal(3, told:get(20) + told:get(20))
      for _, p in ipairs(team) do
        p:join()
        p:close()
      end
    end
  end))

  it("leaves every timeout as it is", within(60, function()
    local q <close> = mp.Queue()
    for round = 1, 20 do
      q:put(1)
      local p <close> = mp.spawn(function()
        core.testpoint(round % 2 == 0 and "ring.get.copied" or "ring.put.copied")
        q:get()
        q:put(2)
      end)
      helper.eventually(5, function() return not p:is_alive() end)
      local start <const> = mp.time()
      if round % 2 == 0 then
        assert.equal(1, q:get(0.01))
      end
      assert.same({ nil, "timeout" }, { q:get(0.01) })
      assert.is_true(mp.time() - start < 2)
      assert.equal(0, q:qsize())
      p:join()
    end
  end))
end)
