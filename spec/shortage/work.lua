-- What is done while memory is short: each piece of work is a function that is
-- called again and again, does the same each time, and raises when something is
-- wrong with a result. What it needs from before is made by `prepare`; after an
-- error `mend` takes out what it left there.
local mp = require "mp"

local work = {}

local function nothing() end

local function piece(name, prepare, run, mend)
  work[#work + 1] = { name = name, prepare = prepare, run = run, mend = mend or nothing }
end

-- A result that may be nil, "no memory": what must have worked otherwise.
local function check(value, why)
  if value == nil then
    error(why, 0)
  end
  return value
end

local long <const> = ("x"):rep(100000)

piece("a pipe", nothing, function()
  local a <const>, b <const> = mp.Pipe()
  check(a, b)
  check(a:send { 1, long })
  local message <const> = check(b:recv(0))
  assert(message[1] == 1 and message[2] == long)
end)

piece("an end sent through a pipe", function() return { mp.Pipe() } end, function(pipe)
  local a <const>, b <const> = mp.Pipe()
  check(a, b)
  check(pipe[1]:send(b))
  local got <const> = check(pipe[2]:recv(0))
  check(a:send "hello")
  assert(check(got:recv(0)) == "hello")
end, function(pipe)
  while pipe[2]:poll() do
    pipe[2]:recv()
  end
end)

piece("a queue", function() return mp.Queue() end, function(q)
  for i = 1, 5 do
    check(q:put { i, long })
  end
  for i = 1, 5 do
    assert(check(q:get(0))[1] == i)
  end
  assert(q:qsize() == 0)
end, function(q)
  while q:get(0) do
  end
end)

piece("a dict", function() return mp.dict() end, function(d)
  for i = 1, 50 do
    d[i] = { i }
    d["k" .. i] = long
  end
  for i = 1, 50 do
    assert(d[i][1] == i and d["k" .. i] == long)
  end
  mp.dict.clear(d)
end, mp.dict.clear)

piece("a list", function() return mp.list() end, function(l)
  for i = 1, 50 do
    l[#l + 1] = { i }
  end
  assert(#l == 50 and l[50][1] == 50)
  l:clear()
end, function(l) l:clear() end)

piece("locks and their kin", nothing, function()
  local lock <const> = check(mp.Lock { name = "a" })
  local rlock <const> = check(mp.RLock { name = "b" })
  lock:acquire()
  rlock:acquire()
  rlock:release()
  lock:release()
  local event <const> = check(mp.Event())
  event:set()
  assert(event:wait(0))
  local semaphore <const> = check(mp.Semaphore(1))
  assert(semaphore:acquire(0))
  semaphore:release()
  local condition <const> = check(mp.Condition())
  condition:acquire()
  condition:notify()
  condition:release()
  check(mp.Barrier(1)):wait()
end)

piece("values and arrays", nothing, function()
  local value <const> = check(mp.Value("d", 1.5))
  assert(value.value == 1.5)
  local array <const> = check(mp.Array("i", { 1, 2, 3 }))
  assert(array[3] == 3)
  assert(#check(mp.RawArray("q", 10000)) == 10000)
end)

piece("a frozen table", nothing, function()
  local f <const> = check(mp.freeze { 1, { a = long } })
  assert(f[2].a == long)
end)

piece("the codec", nothing, function()
  local f <const> = function() return long end
  local t <const> = mp.loads(mp.dumps { f = f, 1, 2, { 3 }, long })
  assert(t.f() == long and t[3][1] == 3)
end)

piece("a process", nothing, function()
  local p <close> = mp.Process { target = function() end }
  check(p:start())
  check(p:join())
  assert(p.exitcode == 0)
end)

piece("a map", function() return mp.Pool(1) end, function(pool)
  local results <const> = pool:map(function(x) return x + 1 end, { 1, 2, 3 })
  assert(results[3] == 4)
end)

return work
