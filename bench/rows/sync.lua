local measure = require "bench.lib.measure"
local mp = require "mp"

local uncontended <const> = 200000
local idle <const> = 0.002 -- seconds after which whoever waits is asleep

-- --- Locks ------------------------------------------------------------------

local function lock_pair()
  local lock <const> = mp.Lock()
  return measure.best(5, measure.timed, function()
    for _ = 1, uncontended do
      lock:acquire()
      lock:release()
    end
  end) / uncontended
end

local function guard()
  local lock <const> = mp.Lock()
  return measure.best(5, measure.timed, function()
    for _ = 1, uncontended do
      local _ <close> = lock:hold()
    end
  end) / uncontended
end

local function add_ones(lock, value, count)
  for _ = 1, count do
    lock:acquire()
    value.value = value.value + 1
    lock:release()
  end
end

local function contended()
  local count <const> = 200000
  local lock <const>, value <const> = mp.Lock(), mp.RawValue("q", 0)
  local seconds <const> = measure.team(
    { add_ones, lock, value, count, cpu = 0 }, { add_ones, lock, value, count, cpu = 1 })
  assert(value.value == 2 * count)
  return 2 * count / seconds
end

-- --- Waiting awake: whoever is waited for answers at once --------------------

local function take_turns(condition, turn, me, count)
  local _ <close> = condition:hold()
  for _ = 1, count do
    while turn.value ~= me do
      condition:wait()
    end
    turn.value = 1 - me
    condition:notify()
  end
end

local function condition_awake()
  local count <const> = 5000
  local condition <const>, turn <const> = mp.Condition(), mp.RawValue("i", 0)
  local seconds <const> = measure.team(
    { take_turns, condition, turn, 0, count, cpu = 0 },
    { take_turns, condition, turn, 1, count, cpu = 1 })
  return seconds / count
end

local function ring_back(mine, other, count)
  for _ = 1, count do
    mine:wait()
    mine:clear()
    other:set()
  end
end

-- One wake: half of a round trip.
local function event_on(cpu, count)
  return function()
    local ping <const>, pong <const> = mp.Event(), mp.Event()
    ping:set()
    local seconds <const> = measure.team(
      { ring_back, ping, pong, count, cpu = 0 }, { ring_back, pong, ping, count, cpu = cpu })
    return seconds / (2 * count)
  end
end

local function meet(barrier, count)
  for _ = 1, count do
    assert(barrier:wait())
  end
end

local function barrier_awake()
  local count <const> = 20000
  local barrier <const> = mp.Barrier(2)
  local seconds <const> = measure.team(
    { meet, barrier, count, cpu = 0 }, { meet, barrier, count, cpu = 1 })
  return count / seconds
end

-- --- Waiting asleep ----------------------------------------------------------

local function wait_event(event, woken_at, done, count)
  measure.pin(1)
  for _ = 1, count do
    event:wait()
    woken_at.value = mp.time()
    event:clear()
    done:release()
  end
end

local function wait_condition(condition, flag, woken_at, done, count)
  measure.pin(1)
  for _ = 1, count do
    do
      local _ <close> = condition:hold()
      while flag.value == 0 do
        condition:wait()
      end
      woken_at.value = mp.time()
      flag.value = 0
    end
    done:release()
  end
end

local function wait_barrier(barrier, woken_at, done, count)
  measure.pin(1)
  for _ = 1, count do
    assert(barrier:wait())
    woken_at.value = mp.time()
    done:release()
  end
end

-- Seconds from a signal to the return of the process that slept for it.
local function wake(waiter, arguments, signal)
  local count <const> = 50
  local woken_at <const>, done <const> = mp.RawValue("d", 0), mp.Semaphore(0)
  local words <const> = table.move({ woken_at, done, count }, 1, 3, #arguments + 1, arguments)
  local process <close> = mp.Process(waiter, table.unpack(words))
  process:start()
  measure.pin(0)
  local costs = {}
  for i = 1, count do
    mp.sleep(idle)
    local start <const> = mp.time()
    signal()
    done:acquire()
    costs[i] = woken_at.value - start
  end
  process:join()
  assert(process.exitcode == 0)
  return measure.median(costs)
end

local function event_asleep()
  local event <const> = mp.Event()
  return wake(wait_event, { event }, function()
    event:set()
  end)
end

local function condition_asleep()
  local condition <const>, flag <const> = mp.Condition(), mp.RawValue("i", 0)
  return wake(wait_condition, { condition, flag }, function()
    local _ <close> = condition:hold()
    flag.value = 1
    condition:notify()
  end)
end

local function barrier_asleep()
  local barrier <const> = mp.Barrier(2)
  return 1 / wake(wait_barrier, { barrier }, function()
    assert(barrier:wait())
  end)
end

local asleep <const> = { "floor", 1.3 }

return {
  {
    id = "sync.lock",
    text = "lock acquire + release, uncontended",
    unit = "ns",
    target = 50,
    speed = { cpython = 52, floor = 12, lua = 42 },
    needs = { "Lock" },
    mp = lock_pair,
  },
  {
    id = "sync.guard",
    text = "lock held by a guard (Python's with), uncontended",
    unit = "ns",
    target = 110,
    speed = { cpython = 157, floor = 12 },
    needs = { "Lock" },
    mp = guard,
  },
  {
    id = "sync.contended",
    text = "lock contended by 2, value + 1 inside",
    unit = "M/s",
    target = 4,
    speed = { cpython = 1.6, floor = 32, lua = 3.0 },
    cpus = 2,
    needs = { "Lock", "RawValue", "Process", "Pipe" },
    mp = contended,
  },
  {
    id = "sync.condition_awake",
    text = "condition ping-pong, awake",
    unit = "µs",
    target = 5,
    speed = { cpython = 180, floor = 0.1 },
    cpus = 2,
    needs = { "Condition", "RawValue", "Process", "Pipe" },
    mp = condition_awake,
  },
  {
    id = "sync.condition_asleep",
    text = "condition: from notify to the sleeper's return",
    unit = "µs",
    against = asleep,
    cpus = 2,
    needs = { "Condition", "Semaphore", "RawValue", "Process" },
    mp = condition_asleep,
  },
  {
    id = "sync.event_awake",
    text = "event wake, awake",
    unit = "µs",
    target = 5,
    speed = { floor = 0.05 },
    cpus = 2,
    needs = { "Event", "Process", "Pipe" },
    mp = event_on(1, 5000),
  },
  {
    id = "sync.event_one_core",
    text = "event wake, both on one core",
    unit = "µs",
    against = asleep,
    speed = { cpython = 13, floor = 4 },
    one_core = true,
    needs = { "Event", "Process", "Pipe" },
    mp = event_on(0, 5000),
  },
  {
    id = "sync.event_asleep",
    text = "event: from set to the sleeper's return",
    unit = "µs",
    against = asleep,
    cpus = 2,
    needs = { "Event", "Semaphore", "RawValue", "Process" },
    mp = event_asleep,
  },
  {
    id = "sync.barrier_awake",
    text = "barrier of 2, awake",
    unit = "k/s",
    target = 300,
    speed = { cpython = 5.6, floor = 2500 },
    cpus = 2,
    needs = { "Barrier", "Process", "Pipe" },
    mp = barrier_awake,
  },
  {
    id = "sync.barrier_asleep",
    text = "barrier of 2, the first asleep when the second arrives",
    unit = "k/s",
    against = asleep,
    speed = { floor = 32 },
    cpus = 2,
    needs = { "Barrier", "Semaphore", "RawValue", "Process" },
    mp = barrier_asleep,
  },
}
