local measure = require "bench.lib.measure"
local mp = require "mp"

local function echo(conn, cpu)
  measure.pin(cpu)
  for message in conn:messages() do
    conn:send(message)
  end
end

local function round_trips(conn, count)
  for i = 1, count do
    conn:send(i)
    assert(conn:recv() == i)
  end
end

local function ping_pong(cpu, count)
  return function()
    local ours <close>, theirs <const> = mp.Pipe()
    local process <close> = mp.Process(echo, theirs, cpu)
    process:start()
    theirs:close()
    measure.pin(0)
    round_trips(ours, 1000)
    local seconds <const> = measure.best(3, measure.timed, round_trips, ours, count)
    ours:send(nil)
    process:join()
    assert(process.exitcode == 0)
    return seconds / count
  end
end

return {
  {
    id = "pipe.awake",
    text = "pipe ping-pong, both ends awake, on two CPUs",
    unit = "µs",
    target = 1.5,
    speed = { cpython = 61, floor = 0.08, lua = 0.44 },
    cpus = 2,
    needs = { "Process", "Pipe" },
    mp = ping_pong(1, 30000),
  },
  {
    id = "pipe.one_core",
    text = "pipe ping-pong, both ends on one core",
    unit = "µs",
    target = 8,
    speed = { cpython = 20, floor = 4.9 },
    one_core = true,
    needs = { "Process", "Pipe" },
    mp = ping_pong(0, 5000),
  },
}
