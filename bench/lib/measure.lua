-- What the mp sides of the rows share: the clock, the best of several,
-- processes side by side, a process's CPU, memory and children.
local mp = require "mp"

local measure = {}

-- Seconds of a monotonic clock that all processes share.
measure.clock = mp.time

-- Seconds that f(...) takes.
function measure.timed(f, ...)
  local start <const> = mp.time()
  f(...)
  return mp.time() - start
end

-- The least of so many results of f(...).
function measure.best(times, f, ...)
  local least = f(...)
  for _ = 2, times do
    least = math.min(least, f(...))
  end
  return least
end

function measure.median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The calling process, asked of the kernel.
function measure.pid()
  return math.tointeger(read("/proc/self/stat"):match("^%d+"))
end

-- Keeps the calling process on one of the CPUs it may use, counted from 0.
function measure.pin(cpu)
  local list <const> = read("/proc/self/status"):match("Cpus_allowed_list:%s*(%S+)")
  for first, last in list:gmatch("(%d+)%-?(%d*)") do
    for number = tonumber(first), tonumber(last) or tonumber(first) do
      if cpu == 0 then
        local command <const> = "taskset -c -p %d %d >/dev/null"
        assert(os.execute(command:format(number, measure.pid())))
        return
      end
      cpu = cpu - 1
    end
  end
  error("this process may not use so many CPUs")
end

local function member(conn, call)
  if call.cpu then
    measure.pin(call.cpu)
  end
  conn:send("ready")
  assert(conn:recv() == "go")
  conn:send((call[1](table.unpack(call, 2))))
end

-- Processes that call their functions at the same instant: each argument is
-- {f, arguments…, cpu = the CPU to stay on}. Returns the seconds until all were
-- done, and their results.
function measure.team(...)
  local processes, conns = {}, {}
  for i, call in ipairs { ... } do
    local ours <const>, theirs <const> = mp.Pipe()
    processes[i] = mp.Process(member, theirs, call)
    processes[i]:start()
    theirs:close()
    conns[i] = ours
  end
  for _, conn in ipairs(conns) do
    assert(conn:recv() == "ready")
  end
  local results = {}
  local start <const> = mp.time()
  for _, conn in ipairs(conns) do
    conn:send("go")
  end
  for i, conn in ipairs(conns) do
    local value, why = conn:recv()
    assert(why == nil, why)
    results[i] = value
  end
  local seconds <const> = mp.time() - start
  for i, process in ipairs(processes) do
    process:join()
    assert(process.exitcode == 0)
    conns[i]:close()
  end
  return seconds, results
end

-- The processes that a process has started and not yet waited for.
function measure.children_of(pid)
  local list = {}
  for word in read(("/proc/%d/task/%d/children"):format(pid, pid)):gmatch("%d+") do
    list[#list + 1] = math.tointeger(word)
  end
  return list
end

-- Bytes of a process, what it shares with others divided by their number.
function measure.proportional_memory(pid)
  local text <const> = read(("/proc/%d/smaps_rollup"):format(pid))
  return math.tointeger(text:match("\nPss:%s*(%d+) kB")) * 1024
end

-- Seconds of CPU time a process has used.
function measure.cpu_seconds(pid)
  return tonumber(read(("/proc/%d/schedstat"):format(pid)):match("^%d+")) * 1e-9
end

return measure
