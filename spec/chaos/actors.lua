-- What the processes of the chaos do, each for ever, until it is killed. Every
-- actor checks what it sees and raises when it cannot be true; `world` is what
-- all of them share.
local mp = require "mp"

local actors = {}

-- A payload says how long it is and what it is made of.
local function payload(size)
  return { size = size, text = ("p"):rep(size) }
end

local function check_payload(p)
  assert(#p.text == p.size and not p.text:find "[^p]", "half a message")
end

local SIZES <const> = { 0, 10, 200, 3000, 70000, 1500000 }

local function random_size()
  return math.random(SIZES[math.random(#SIZES)] + 1) - 1
end

-- Puts numbered items, now and then with a fresh pipe's end inside.
function actors.producer(world)
  local me <const> = mp.current_process().pid
  for i = 1, math.huge do
    local item = { from = me, i = i, payload = payload(random_size()) }
    if math.random(8) == 1 then
      local a, b = assert(mp.Pipe())
      item.conn = b
      assert(a:send(i))
      a:close()
      world.queue:put(item, 0.2)
      b:close()
    else
      world.queue:put(item, 0.2)
    end
  end
end

-- Items of one producer come in its order, whole.
function actors.consumer(world)
  local last = {}
  while true do
    local item = world.queue:get(0.2)
    if item then
      assert(item.i > (last[item.from] or 0), "out of order, or twice")
      last[item.from] = item.i
      check_payload(item.payload)
      if item.conn then
        assert(item.conn:recv(1) == item.i, "another's message")
        item.conn:close()
      end
    end
  end
end

-- One side of the shared pipe.
function actors.speaker(world)
  while world.left:send { payload(random_size()) } do
    if math.random(4) == 1 then
      mp.sleep(0.001)
    end
  end
end

function actors.listener(world)
  while true do
    local message = world.right:recv(0.2)
    if message then
      check_payload(message[1])
    end
  end
end

-- Two cells that are equal whenever nobody is inside.
function actors.locker(world)
  local lock <const>, cells <const> = world.lock, world.cells
  while true do
    local ok, abandoned = lock:acquire(0.5)
    if ok then
      if abandoned then
        cells[2] = cells[1]
      end
      assert(cells[1] == cells[2], "two were inside")
      cells[1] = cells[1] + 1
      cells[2] = cells[2] + 1
      lock:release()
    end
  end
end

function actors.counter(world)
  while true do
    world.total:add(1)
  end
end

-- A pair of values that is replaced as one.
function actors.updater(world)
  local key <const> = "k" .. math.random(20)
  while true do
    mp.dict.update(world.dict, key, function(old)
      assert(not old or old.a == old.b, "torn")
      local n <const> = old and old.a + 1 or 1
      return mp.freeze and { a = n, b = n } or { a = n, b = n }
    end)
  end
end

-- Has children of its own, one of them a daemon.
function actors.parent()
  while true do
    local p <const> = mp.Process { target = mp.sleep, args = { 0.002 } }
    assert(p:start())
    local d <const> = mp.Process { target = mp.sleep, args = { 100 }, daemon = true }
    assert(d:start())
    p:join()
    d:kill()
    d:join()
  end
end

-- Makes and drops objects.
function actors.maker()
  while true do
    local kept = {}
    for i = 1, math.random(30) do
      kept[i] = { assert(mp.Pipe()) }
    end
    if mp.Queue then
      kept[#kept + 1] = assert(mp.Queue())
      assert(kept[#kept]:put(kept[1][1]))
    end
    for i = 1, #kept do
      kept[i] = nil
    end
    collectgarbage()
  end
end

-- Maps over a pool of its own.
function actors.mapper()
  while true do
    local pool <close> = mp.Pool(2)
    for _ = 1, 5 do
      local results <const> = pool:map(function(x)
        return x * 2
      end, { 1, 2, 3, 4, 5 }, { retries = 5 })
      for i = 1, 5 do
        assert(results[i] == 2 * i, "a wrong result")
      end
    end
  end
end

--- Those whose objects this build has.
function actors.available(world)
  local needs <const> = {
    producer = world.queue, consumer = world.queue, speaker = world.left,
    listener = world.right, locker = world.lock and world.cells, counter = world.total,
    updater = world.dict, parent = true, maker = true, mapper = mp.Pool,
  }
  local names = {}
  for name, needed in pairs(needs) do
    if needed then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

return actors
