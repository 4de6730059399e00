-- time limit: 1800 s
--
-- kill -9 of processes that write and read shared dicts and lists, at random
-- instants and at random test points. MP_ROUNDS sets how many kills there are
-- in all (300 by default).
local helper = require "spec.helper"
local core = require "mp.core"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 300

-- Half of the victims kill themselves at a test point, if they get there.
local function arm()
  if math.random(2) == 1 then
    core.testpoint("*", math.random(600))
  end
end

local function strike(p)
  mp.sleep(math.random() * 0.004)
  p:kill()
  p:join()
  assert.equal(-9, p.exitcode)
  p:close()
end

-- A value in which every part tells the number, of several lengths; some are
-- tables, which become shared.
local function value(number)
  local text <const> = ("%06d"):format(number)
  if number % 5 == 0 then
    return { text, number, inner = { text } }
  elseif number % 7 == 0 then
    return text:rep(500)
  end
  return text:rep(number % 40 + 1)
end

local function check(v)
  if type(v) == "string" then
    local text <const> = v:sub(1, 6)
    assert(v == text:rep(#v // 6), "a value is not whole")
    return tonumber(text)
  end
  local number <const> = v[2]
  assert(v[1] == ("%06d"):format(number) and v.inner[1] == v[1], "a table is not whole")
  return number
end

local KEYS <const> = 60

local function dict_writer(d, seed, account)
  math.randomseed(seed)
  arm()
  for i = 1, math.maxinteger do
    account[1] = i
    mp.dict.incr(d, "count")
    account[2] = i
    mp.dict.update(d, "pair", function(old)
      local n <const> = old and old[1] + 1 or 1
      return { n, n }
    end)
    local key <const> = math.random(KEYS)
    local what <const> = math.random(8)
    if what == 1 then
      d[key] = nil
    elseif what == 2 then
      mp.dict.pop(d, key)
    elseif what == 3 then
      mp.dict.setdefault(d, key, value(i))
    elseif what == 4 then
      mp.dict.set(d, key, value(i), 0.001)
    else
      d[key] = value(i)
    end
  end
end

local function dict_reader(d, seed)
  math.randomseed(seed)
  arm()
  while true do
    for key = 1, KEYS do
      local v <const> = d[key]
      if v then
        check(v)
      end
    end
    for key, v in pairs(d) do
      if math.type(key) == "integer" then
        check(v)
      end
    end
  end
end

local function kill_dict_users(rounds)
  local seed <const> = helper.seed()
  local d = mp.dict()
  local account <close> = mp.RawArray("q", 2)
  local count = 0
  for round = 1, rounds do
    account[1], account[2] = 0, 0
    local reader <const> = mp.spawn(dict_reader, d, seed - round)
    strike(mp.spawn(dict_writer, d, seed + round, account))
    strike(reader)
    -- What was counted is, and perhaps the one in hand.
    local now <const> = (d.count or 0) - count
    assert(now == account[2] or now == account[1])
    count = count + now
    assert(not d.pair or d.pair[1] == d.pair[2])
    local n = 0
    for key, v in pairs(d) do
      n = n + 1
      if math.type(key) == "integer" then
        check(v)
      end
    end
    assert(mp.dict.len(d) <= n)
    d.last = round
    assert.equal(round, d.last)
  end
  mp.dict.clear(d)
  assert.equal(0, mp.dict.len(d))
end

local function list_writer(l, seed, account)
  math.randomseed(seed)
  arm()
  for i = 1, math.maxinteger do
    account[1] = i
    l:append(value(i))
    account[2] = i
    -- What follows changes neither how many there are nor what is in them.
    if i % 3 == 0 then
      l:insert(math.random(#l), value(i))
      account[3] = account[3] + 1
    elseif i % 10 == 0 then
      l:sort(function(a, b)
        return check(a) < check(b)
      end)
    end
  end
end

local function list_reader(l, seed)
  math.randomseed(seed)
  arm()
  while true do
    for _, v in ipairs(l) do
      check(v)
    end
    l:count "no such item"
  end
end

local function kill_list_users(rounds)
  local seed <const> = helper.seed()
  for round = 1, rounds do
    local account <close> = mp.RawArray("q", 3)
    local l = mp.list()
    local reader <const> = mp.spawn(list_reader, l, seed - round)
    strike(mp.spawn(list_writer, l, seed + round, account))
    strike(reader)
    -- All that was added is there, and perhaps what was in hand.
    local n <const> = #l
    assert(n >= account[2] + account[3] and n <= account[1] + account[3] + 1)
    local seen <const> = {}
    for _, v in pairs(l) do
      seen[check(v)] = true
    end
    for i = 1, account[2] do
      assert(seen[i])
    end
    for i = n, 1, -1 do
      check(i % 2 == 0 and l:pop() or l:pop(1))
    end
    assert.equal(0, #l)
  end
end

-- Everybody takes a step of work from the list and notes it in the dict.
local function kill_workers(rounds)
  local seed <const> = helper.seed()
  local waiting, done = mp.list(), mp.dict()
  local steps <const> = 20
  local function worker(number)
    math.randomseed(number)
    arm()
    while true do
      local step <const> = waiting:pop(1)
      if step then
        mp.dict.incr(done, step)
      end
    end
  end
  for round = 1, rounds do
    for i = 1, steps do
      waiting:append(i)
    end
    local a <const> = mp.spawn(worker, seed + round)
    strike(mp.spawn(worker, seed - round))
    strike(a)
    -- Each step is still to do, or done, or died with one of the two.
    local left, lost = #waiting, 0
    for i = 1, steps do
      assert((done[i] or 0) <= 1)
      lost = lost + 1 - (done[i] or 0)
    end
    assert(lost - left >= 0 and lost - left <= 2)
    waiting:clear()
    mp.dict.clear(done)
  end
end

describe("kill -9 in the middle of shared tables' work", function()
  before_each(helper.baseline)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
    assert.equal(0, core.check())
  end)

  it("leaves a dict whole", within(600, function()
    kill_dict_users(ROUNDS // 6)
  end))

  it("leaves a list whole", within(600, function()
    kill_list_users(ROUNDS // 6)
  end))

  it("loses no step but those in hand", within(600, function()
    kill_workers(ROUNDS // 6)
  end))
end)
