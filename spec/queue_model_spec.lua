-- time limit: 600 s
--
-- Random operations of four processes on one queue, compared with a model:
-- nothing is lost, nothing is got twice, each producer's values stay in order,
-- the size is what it must be. MP_SEED=n repeats a run.
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 30

local PROCESSES <const> = 4
local OPERATIONS <const> = 400

-- A value that says whose it is and which, of any size.
local function value(who, number)
  local kind <const> = math.random(12)
  if kind == 1 then
    return { who, number, ("p"):rep(math.random(60000)) }
  elseif kind == 2 then
    return { who, number, mp.Event() }
  elseif kind <= 6 then
    return ("%d/%d/%s"):format(who, number, ("s"):rep(math.random(0, 300)))
  end
  return who * 1000000 + number
end

local function identify(v)
  if math.type(v) == "integer" then
    return v // 1000000, v % 1000000
  elseif type(v) == "string" then
    local who, number = v:match "^(%d+)/(%d+)/"
    return math.tointeger(tonumber(who)), math.tointeger(tonumber(number))
  end
  assert(mp.type(v[3]) == "Event" or #v[3] > 0)
  return v[1], v[2]
end

-- One process: random puts and gets. Returns how many values it put, and what
-- it got, in its order.
local function act(q, who, seed, bound)
  math.randomseed(seed, who)
  local put, got = 0, {}
  local function note(v)
    local from, number = identify(v)
    got[#got + 1] = from * 1000000 + number
  end
  for _ = 1, OPERATIONS do
    local kind <const> = math.random(10)
    if kind <= 4 then
      if q:put(value(who, put + 1), math.random() * 0.002) then
        put = put + 1
      end
    elseif kind == 5 then
      local list = {}
      for i = 1, math.random(0, 30) do
        list[i] = value(who, put + i)
      end
      local ok, err, count = q:put_many(list, math.random() * 0.002)
      assert(ok or err == "timeout" and count < #list)
      put = put + (ok and #list or count)
    elseif kind <= 8 then
      local v, err = q:get(math.random() * 0.002)
      if err == nil then
        note(v)
      else
        assert(err == "timeout")
      end
    elseif kind == 9 then
      local list <const>, err = q:get_many(math.random(20), 0)
      if list then
        for i = 1, list.n do
          note(list[i])
        end
      else
        assert(err == "timeout")
      end
    else
      local n <const> = q:qsize()
      assert(n >= 0 and (bound == 0 or n <= bound), "the size is out of bounds")
    end
  end
  return put, got
end

-- Each producer's numbers must rise within one consumer's row.
local function check_order(row)
  local last = {}
  for _, id in ipairs(row) do
    local who <const>, number <const> = id // 1000000, id % 1000000
    assert(number > (last[who] or 0), "values of one producer are out of order")
    last[who] = number
  end
end

describe("random operations of four processes", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("lose nothing, and put nothing out of order", within(500, function()
    local seed <const> = helper.seed()
    for round = 1, ROUNDS do
      math.randomseed(seed, round)
      local bound <const> = math.random(3) == 1 and math.random(40) or 0
      local q <close> = mp.Queue(bound)
      local team, rows, put = {}, {}, {}
      local all_put, all_got = 0, 0
      for i = 1, PROCESSES do
        team[i] = mp.spawn(act, q, i, seed + round, bound)
      end
      for i = 1, PROCESSES do
        put[i], rows[i] = team[i]:result(60)
        all_put, all_got = all_put + put[i], all_got + #rows[i]
        team[i]:close()
      end
      assert.equal(all_put - all_got, q:qsize())
      local rest = {}
      q:close()
      for v in q:items() do
        local who, number = identify(v)
        rest[#rest + 1] = who * 1000000 + number
      end
      rows[#rows + 1] = rest

      local seen = {}
      for _, row in ipairs(rows) do
        check_order(row)
        for _, id in ipairs(row) do
          assert(not seen[id], "a value was got twice")
          seen[id] = true
        end
      end
      for who = 1, PROCESSES do
        for number = 1, put[who] do
          assert(seen[who * 1000000 + number], "a value was lost")
        end
        assert(not seen[who * 1000000 + put[who] + 1], "a value was never put")
      end
    end
  end))
end)
