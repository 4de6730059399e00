local heap = require "bench.lib.heap"
local measure = require "bench.lib.measure"
local mp = require "mp"

local function start_join(context, count)
  for _ = 1, count do
    local process <close> = context.Process(function() end)
    process:start()
    process:join()
    assert(process.exitcode == 0)
  end
end

local function per_process(method, count)
  local context <const> = mp.get_context(method)
  start_join(context, 2)
  return measure.best(3, measure.timed, start_join, context, count) / count
end

local function with_heap(method, count)
  return function()
    local held <const> = heap()
    assert(collectgarbage("count") > 200000)
    local result <const> = per_process(method, count)
    assert(#held == 200000)
    return result
  end
end

return {
  {
    id = "process.fork",
    text = "start + join an empty process (fork)",
    unit = "ms",
    against = { "lua", 1.4 },
    speed = { cpython = 2.1, floor = 0.18, lua = 0.21 },
    lua = true,
    needs = { "Process", "get_context" },
    mp = function()
      return per_process("fork", 50)
    end,
  },
  {
    id = "process.fork_heap",
    text = "start + join an empty process (fork), 200 MB heap in the parent",
    unit = "ms",
    against = { "floor", 1.2 },
    speed = { cpython = 17.9, floor = 12.7, lua = 16 },
    lua = true,
    rounds = 3,
    needs = { "Process", "get_context" },
    mp = with_heap("fork", 5),
  },
  {
    id = "process.forkserver_heap",
    text = "start + join an empty process (forkserver), 200 MB heap in the parent",
    unit = "ms",
    target = 0.6,
    speed = { cpython = 12.6, lua = 0.25 },
    rounds = 3,
    needs = { "Process", "get_context" },
    mp = with_heap("forkserver", 20),
  },
  {
    id = "process.forkserver",
    text = "start + join an empty process (forkserver)",
    unit = "ms",
    target = 0.5,
    speed = { cpython = 12.6, lua = 0.23 },
    needs = { "Process", "get_context" },
    mp = function()
      return per_process("forkserver", 20)
    end,
  },
  {
    id = "process.spawn",
    text = "start + join an empty process (spawn)",
    unit = "ms",
    target = 2,
    speed = { cpython = 39, floor = 1.1 },
    needs = { "Process", "get_context" },
    mp = function()
      return per_process("spawn", 10)
    end,
  },
}
