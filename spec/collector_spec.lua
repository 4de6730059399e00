-- Finalizers run wherever Lua allocates, so also in the middle of mp's own
-- functions. These here call mp themselves, on objects of their own.
-- time limit: 300 s
local collector = require "spec.helper.collector"
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local function double(x)
  return 2 * x
end

local Class <const> = {}

-- One for each function of mp: what a finalizer does with it. The constructors
-- leave their objects to the collector.
local actions <const> = {
  Array = function()
    local a <const> = mp.Array("i", { 1, 2, 3 })
    a[2] = a[1] + a[3]
    assert(a:totable()[2] == 4)
  end,
  Barrier = function()
    assert(mp.Barrier(1):wait(1) == 1)
  end,
  BoundedSemaphore = function()
    local s <const> = mp.BoundedSemaphore(1)
    assert(s:acquire(0))
    s:release()
    assert(not pcall(s.release, s))
  end,
  Condition = function()
    local c <const> = mp.Condition()
    c:with(function()
      c:notify_all()
      assert(select(2, c:wait(0)) == "timeout")
    end)
  end,
  Event = function()
    local e <const> = mp.Event()
    e:set()
    assert(e:wait(1))
  end,
  JoinableQueue = function()
    local q <const> = mp.JoinableQueue()
    q:put { "work" }
    assert(q:get()[1] == "work")
    q:task_done()
    assert(q:join(1))
  end,
  Listener = function()
    local path <const> = os.tmpname()
    os.remove(path)
    local listener <close> = mp.Listener { address = path }
    assert(select(2, listener:accept(0)) == "timeout")
  end,
  Client = function()
    assert(not pcall(mp.Client, {}))
    assert(mp.Client("/nowhere/at/all") == nil)
  end,
  Lock = function()
    local l <const> = mp.Lock()
    local _ <close> = l:hold()
    assert(select(2, l:acquire(0)) == "timeout")
  end,
  Manager = function()
    assert(not pcall(mp.Manager, { unknown = true }))
  end,
  Pipe = function()
    local a, b = mp.Pipe()
    a:send { x = { 1, 2, "three" } }
    assert(b:recv(1).x[3] == "three")
    a:close()
    assert(select(2, b:recv()) == "closed")
  end,
  Pool = function()
    assert(not pcall(mp.Pool, { unknown = true }))
  end,
  Process = function()
    local p <const> = mp.Process { target = double, args = { 21 } }
    p:start()
    p:join()
    assert(p.exitcode == 0)
  end,
  Queue = function()
    local q <const> = mp.Queue(3)
    q:put(mp.Event())
    q:put { double }
    q:put_many { 1 }
    assert(mp.type(q:get()) == "Event" and q:get()[1](2) == 4 and #q:get_many(5) == 1)
  end,
  RLock = function()
    local l <const> = mp.RLock()
    assert(l:acquire() and l:acquire())
    l:release()
    l:release()
  end,
  RawArray = function()
    assert(mp.RawArray("d", 3)[3] == 0)
  end,
  RawValue = function()
    assert(mp.RawValue("c", "x").value == "x")
  end,
  Semaphore = function()
    local s <const> = mp.Semaphore(2)
    s:release()
    assert(s.value == 3)
  end,
  ShareableList = function()
    local l <const> = mp.ShareableList { 1, "two", 3.5 }
    assert(l[2] == "two")
  end,
  SharedMemory = function()
    local m <close> = mp.SharedMemory { create = true, size = 100 }
    m.buf:write(1, "bytes")
    assert(m.buf:read(1, 5) == "bytes")
    m:unlink()
  end,
  SimpleQueue = function()
    local q <const> = mp.SimpleQueue()
    q:put(1.5)
    assert(q:get() == 1.5)
  end,
  Struct = function()
    local Point <const> = mp.Struct { { "x", "d" }, { "y", "d" } }
    local v <const> = mp.Value(Point, { x = 1, y = 2 })
    assert(v.value.y == 2)
  end,
  Value = function()
    local v <const> = mp.Value("q", 5)
    v:add(2)
    assert(v.value == 7)
  end,
  active_children = function()
    assert(type(mp.active_children()) == "table")
  end,
  apply = function()
    assert(mp.apply(double, { 4 }) == 8)
  end,
  as_completed = function()
    for _ in mp.as_completed({}) do
      error("nothing was there")
    end
  end,
  at_exit = function()
    mp.at_exit(function() end)
  end,
  at_worker_start = function()
    assert(not pcall(mp.at_worker_start, 1))
  end,
  chaos = function()
    assert(not pcall(mp.chaos, { unknown = true }))
  end,
  class = function()
    assert(mp.class("spec.collector", Class) == Class)
  end,
  cpu_count = function()
    assert(mp.cpu_count() >= 1)
  end,
  current_process = function()
    assert(mp.current_process().pid)
  end,
  dumps = function()
    local t <const> = { 1, { 2 }, f = double }
    t.t = t
    assert(#mp.dumps(t) > 10)
  end,
  each = function()
    mp.each(double, { 1, 2, 3 })
  end,
  freeze = function()
    assert(mp.freeze({ a = { 1, 2 } }).a[2] == 2)
  end,
  get_all_start_methods = function()
    assert(mp.get_all_start_methods()[1])
  end,
  get_context = function()
    assert(mp.get_context("fork").Lock())
  end,
  get_logger = function()
    mp.get_logger():debug("nobody reads it")
  end,
  get_start_method = function()
    assert(mp.get_start_method())
  end,
  getfd = function()
    assert(mp.getfd() >= 0)
  end,
  imap = function()
    for i, x in mp.imap(double, { 1, 2, 3 }) do
      assert(x == 2 * i)
    end
  end,
  imap_unordered = function()
    for _, x in mp.imap_unordered(double, { 1, 2, 3 }) do
      assert(x % 2 == 0)
    end
  end,
  loads = function()
    assert(mp.loads(mp.dumps({ x = { 1, 2 } })).x[2] == 2)
    assert(not pcall(mp.loads, "\1\255"))
  end,
  log_to_stderr = function()
    assert(not pcall(mp.log_to_stderr, "loud"))
  end,
  map = function()
    assert(mp.map(double, { 1, 2, 3 })[3] == 6)
  end,
  parent_process = function()
    assert(mp.parent_process() == nil)
  end,
  poll = function()
    mp.poll()
  end,
  range = function()
    assert(mp.map(double, mp.range(1, 3))[3] == 6)
  end,
  reduce = function()
    assert(mp.reduce(function(a, b)
      return a + b
    end, { 1, 2, 3 }, 0) == 6)
  end,
  set_executable = function()
    assert(not pcall(mp.set_executable, {}))
  end,
  set_forkserver_preload = function()
    assert(not pcall(mp.set_forkserver_preload, 1))
  end,
  set_start_method = function()
    assert(not pcall(mp.set_start_method, "teleport"))
  end,
  sleep = function()
    mp.sleep(0)
  end,
  spawn = function()
    mp.spawn(double, 1):join()
  end,
  starmap = function()
    assert(mp.starmap(math.max, { { 1, 2 }, { 4, 3 } })[2] == 4)
  end,
  stats = function()
    assert(type(mp.stats()) == "table")
  end,
  stop = function()
    local ok, e = pcall(mp.stop, 5)
    assert(not ok and e.kind == "stop" and e.value == 5)
  end,
  time = function()
    assert(mp.time() > 0)
  end,
  type = function()
    assert(mp.type(mp.Lock()) == "Lock")
  end,
  wait = function()
    assert(#mp.wait({ mp.Event() }, 0) == 0)
  end,
  dict = function()
    local d <const> = mp.dict { a = { 1 }, b = 2 }
    d.c = { deep = { 1, 2 } }
    assert(d.c.deep[2] == 2 and mp.dict.incr(d, "b", 3) == 5)
  end,
  list = function()
    local l <const> = mp.list { 1, 2 }
    l:append("three")
    assert(l:pop() == "three" and #l == 2)
  end,
}

-- A finalizer of each object that trap() makes does the action; what went
-- wrong is in problems, for errors of finalizers are nobody's.
local function set_traps(name, done, problems)
  local busy = false
  local function trap()
    setmetatable({}, {
      __gc = function()
        if done.over then
          return
        end
        trap()
        if busy then -- a finalizer within a finalizer is another story
          return
        end
        busy = true
        local ok, problem = pcall(actions[name])
        busy = false
        done[name] = (done[name] or 0) + 1
        if not ok then
          problems[#problems + 1] = name .. ": " .. tostring(problem)
        end
      end,
    })
  end
  trap()
end

-- What mp is in the middle of when they run.
local function work()
  local q <const>, d <const> = mp.Queue(), mp.dict()
  local a, b = mp.Pipe()
  for i = 1, 3 do
    q:put { i, list = { {}, { x = q } }, f = double }
    local got <const> = q:get()
    assert(got[1] == i and got.list[2].x == q and got.f(i) == 2 * i)
    d[i] = { i, inner = { i } }
    assert(d[i].inner[1] == i)
    a:send { i, a }
    local pair <const> = b:recv()
    assert(pair[1] == i and pair[2] == a)
    assert(mp.loads(mp.dumps { { i }, tostring(i) })[2] == tostring(i))
    local e <const> = mp.Event()
    assert(#mp.wait({ e, q }, 0) == 0)
  end
  a:close()
  b:close()
end

describe("a finalizer", function()
  setup(function() -- what is made once and stays
    actions.map()
    actions.apply()
    actions.starmap()
    actions.get_logger()
  end)
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("is tried with every function of mp", function()
    for name, value in pairs(mp) do
      if name:sub(1, 1) ~= "_" then
        assert(actions[name], "no action for mp." .. name .. ", a " .. type(value))
      end
    end
  end)

  local names <const> = {}
  for name in pairs(actions) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    it("may call mp." .. name .. " while mp is in any of its own", within(20, function()
      actions[name]()
      local done <const>, problems <const> = {}, {}
      local pause <const> = collector.set("pause", 0)
      local ok, problem = pcall(function()
        set_traps(name, done, problems)
        local rounds = 0
        repeat
          work()
          collectgarbage("step")
          rounds = rounds + 1
        until (done[name] or 0) >= 5 and rounds >= 3
      end)
      done.over = true
      collector.set("pause", pause)
      for _ = 1, 3 do -- what the last finalizer left may have one itself
        collectgarbage()
      end
      assert(ok, problem)
      assert.same({}, problems)
    end))
  end
end)
