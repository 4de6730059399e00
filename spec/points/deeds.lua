-- What a process does to come by the named test points: each deed is done with
-- the objects of a world (spec/points/world.lua) that survivors use afterwards.
--
--   prepare(world)  unarmed; what it returns is act's second argument
--   act(world, x)   armed
--
-- A point may be passed by a child of who was armed, since a fork inherits it:
-- then the deed waits for the child and returns true when it was killed.
local mp = require "mp"
local core = require "mp.core"

local deeds = {}

local function killed(p)
  p:join()
  return p.exitcode == -9
end

-- A process that ends with its parent, and passes no point armed.
local function partner(f, ...)
  local p <const> = mp.Process { target = f, args = table.pack(...), daemon = true }
  return assert(p:start())
end

local function until_true(f)
  while not f() do
    mp.sleep(0.0005)
  end
end

-- Z: it is dead, and nobody has waited for it. T: it stands still.
local function wait_for_state(pid, state)
  until_true(function()
    local file <close> = assert(io.open("/proc/" .. pid .. "/stat"))
    return file:read("a"):find("%) " .. state)
  end)
end

deeds.pipe = {
  act = function()
    for size = 0, 3 do
      local a, b <const> = mp.Pipe()
      local c, d <const> = mp.Pipe()
      a:send { ("x"):rep(10 ^ (2 * size)), c }
      b:recv()
      for _, conn in ipairs { a, b, c, d } do
        conn:close()
      end
    end
  end,
}

deeds.queue = {
  act = function(w)
    for size = 0, 5 do
      w.queue:put { ("x"):rep(10 ^ size), w.event }
      w.queue:get()
      w.queue:task_done()
    end
    for _ = 1, 300 do
      w.queue:put(("y"):rep(3000))
    end
    for _ = 1, 300 do
      w.queue:get()
      w.queue:task_done()
    end
  end,
}

deeds.lock = {
  act = function(w)
    for _, lock in ipairs { w.lock, w.rlock } do
      lock:acquire()
      lock:release()
    end
  end,
}

-- Another holds it: the first time for ever, then it lets go.
deeds.contended = {
  prepare = function(w)
    local go <const> = mp.Event()
    partner(function()
      w.lock:acquire()
      go:set()
      until_true(function() return w.cells[1] == 1 end)
      mp.sleep(0.005)
      w.lock:release()
    end)
    go:wait()
  end,
  act = function(w)
    w.lock:acquire(0.001)
    w.cells[1] = 1
    w.lock:acquire()
    w.cells[1] = 0
    w.lock:release()
  end,
}

-- Another sleeps until it is given back.
deeds.wanted = {
  prepare = function(w)
    local go <const> = mp.Event()
    w.lock:acquire()
    local p <const> = partner(function()
      go:set()
      w.lock:acquire()
      w.lock:release()
    end)
    go:wait()
    wait_for_state(p.pid, "S")
  end,
  act = function(w)
    w.lock:release()
  end,
}

-- What a dead process held is given up by who finds it.
deeds.abandoned = {
  prepare = function(w)
    local p <const> = mp.spawn(function()
      local _ <const> = { mp.Pipe(), mp.Queue() }
      w.lock:acquire()
      w.semaphore:acquire()
      w.barrier:wait(0)
      core.kill(core.getpid(), 9)
    end)
    wait_for_state(p.pid, "Z")
  end,
  act = function()
    core.sweep()
    mp.active_children()
  end,
}

deeds.semaphore = {
  act = function(w)
    w.semaphore:acquire()
    w.semaphore:release()
    w.bounded:acquire()
    w.bounded:release()
    local s <close> = mp.Semaphore(0)
    s:acquire(0.001)
    s:release()
    do
      local _ <close> = w.semaphore:hold()
    end
  end,
}

deeds.condition = {
  prepare = function(w)
    partner(function()
      while true do
        w.condition:with(function() w.condition:notify_all() end)
        mp.sleep(0.001)
      end
    end)
  end,
  act = function(w)
    local own <close> = mp.Condition()
    own:acquire()
    own:wait(0.001)
    own:release()
    for _ = 1, 5 do
      w.condition:with(function() w.condition:wait(0.1) end)
    end
    w.condition:with(function() w.condition:notify_all() end)
  end,
}

deeds.notify = {
  prepare = function(w)
    local ready <const> = mp.Value("i", 0)
    for _ = 1, 3 do
      partner(function()
        w.condition:acquire()
        ready:add(1)
        w.condition:wait()
      end)
    end
    until_true(function() return ready.value == 3 end)
  end,
  act = function(w)
    w.condition:with(function() w.condition:notify_all() end)
  end,
}

deeds.event = {
  act = function(w)
    w.event:clear()
    w.event:wait(0.001)
    w.event:set()
    w.event:clear()
  end,
}

deeds.barrier = {
  prepare = function(w)
    partner(function()
      while true do
        w.barrier:wait(1)
      end
    end)
  end,
  act = function(w)
    for _ = 1, 5 do
      pcall(w.barrier.wait, w.barrier, 1)
    end
    w.barrier:reset()
    local alone <close> = mp.Barrier(2)
    pcall(alone.wait, alone, 0.001)
    alone:reset()
    pcall(alone.wait, alone, 0)
    alone:abort()
    alone:reset()
  end,
}

deeds.seats = {
  act = function(w)
    w.condition:with(function() w.condition:wait(0.001) end)
  end,
}

deeds.values = {
  act = function()
    local value <close> = mp.Value("i", 1)
    local array <close> = mp.Array("i", 10)
    value:get_lock()
    array:get_lock()
    local point <close> = mp.Struct { { "x", "d" }, { "y", "i" } }
    local structs = mp.Array(point, 3)
    structs:get_lock()
    structs:close()
  end,
}

deeds.shareable = {
  act = function(w)
    w.shareable[1] = 5
    w.shareable[2] = "xyz"
    w.shareable[1] = 6
  end,
}

deeds.memory = {
  act = function()
    local m <const> = mp.SharedMemory { create = true, size = 4096 }
    m:unlink()
    m:close()
  end,
}

deeds.list = {
  act = function(w)
    local list <const> = mp.list()
    for i = 1, 200 do
      list:append(i)
      list:append { i, w.event }
      list[1] = "first"
    end
    for i = 1, 20 do
      list[i] = { i }
      list[i] = i
      list:insert(i, ("z"):rep(100 * i))
      list:insert(1, { i })
      list:pop(3)
      list:pop()
    end
    list:extend { 1, { 2 }, "three", w.event }
    list:sort(function(a, b) return tostring(a) < tostring(b) end)
    list:reverse()
    list:clear()
  end,
}

deeds.dict = {
  act = function(w)
    local dict <const> = mp.dict()
    for i = 1, 3000 do
      dict[i] = i
    end
    for i = 1, 100 do
      dict["k" .. i] = { i, w.event }
      mp.dict.set(dict, "two", function() return w.event, w.lock end)
      mp.dict.incr(dict, "n")
      mp.dict.update(dict, "u", function(old) return (old or 0) + 1 end)
      dict["k" .. i] = nil
    end
    mp.dict.copy(dict)
    mp.dict.set(dict, "soon", 1, 0.001)
    mp.sleep(0.002)
    mp.dict.len(dict)
    mp.dict.get(dict, "soon")
    mp.dict.keys(dict)
    mp.dict.clear(dict)
  end,
}

-- Someone who changes the same key is asked to wait for.
deeds.reserved = {
  prepare = function(w)
    local inside <const> = mp.Event()
    partner(function()
      mp.dict.update(w.dict, "reserved", function()
        inside:set()
        mp.sleep(0.02)
        return 1
      end)
    end)
    inside:wait()
  end,
  act = function(w)
    mp.dict.update(w.dict, "reserved", function() return 2 end)
  end,
}

deeds.frozen = {
  act = function(w)
    local whole <close> = mp.freeze { 1, { 2, { 3, "four" } } }
    w.queue:put(whole[2])
    w.queue:get()
  end,
}

deeds.log = {
  act = function()
    local logger <const> = mp.get_logger()
    logger:set_level "info"
    logger:add_handler(function() end)
    logger:info "a line"
  end,
}

-- More memory than is kept warm, which goes back to the kernel.
deeds.large = {
  act = function()
    local q <close> = mp.Queue()
    for _ = 1, 30 do
      q:put(("r"):rep(9 << 20))
    end
    for _ = 1, 30 do
      q:get()
    end
  end,
}

-- What a dead owner of the arena lock had begun is undone.
deeds.undone = {
  prepare = function()
    local p <const> = mp.spawn(function()
      core.testpoint "tx.changed"
      mp.Pipe()
    end)
    wait_for_state(p.pid, "Z")
  end,
  act = function()
    mp.Pipe()
  end,
}

-- The owner of the arena lock stands still for a while.
deeds.locked_out = {
  prepare = function()
    local p <const> = mp.spawn(function()
      core.testpoint("tx.changed", 1, 19)
      mp.Pipe()
    end)
    wait_for_state(p.pid, "T")
    os.execute(("(sleep 0.02; kill -9 %d) &"):format(p.pid))
  end,
  act = function()
    mp.Pipe()
  end,
}

-- With so many holds that a child is given them in several steps.
deeds.process = {
  act = function()
    local kept <const> = {}
    for i = 1, 1500 do
      kept[i] = mp.Event()
    end
    local p <const> = mp.spawn(function() end)
    if killed(p) then
      return true
    end
    local q <const> = mp.spawn(function() return mp.Event() end)
    q:result()
    return #kept == 0
  end,
}

deeds.leaving = { act = function() end }

deeds.exec = {
  act = function()
    local p <const> = mp.get_context("spawn").Process { target = print }
    p:start()
    return killed(p)
  end,
}

local function square(x)
  return x * x
end

-- Armed in a worker, from its first task on.
deeds.worker = {
  act = function(_, point)
    local first <const> = mp.Value("i", 0)
    local pool <close> = mp.Pool {
      processes = 2,
      maxtasksperchild = 40,
      initializer = function()
        if first:cas(0, 1) then
          core.testpoint(point)
        else
          core.testpoint()
        end
      end,
    }
    local options <const> = { on_error = "collect" }
    pool:map(square, mp.range(100), options)
    pool:map(function(x) return ("z"):rep(20000) .. x end, mp.range(100), options)
    pool:map(function(x) return { mp.Event(), x } end, mp.range(100), options)
    pool:map(function(x) error(x) end, mp.range(10), { on_error = "collect", retries = 1 })
    for _ = 1, 100 do
      pool:apply_async(square, { 2 })
    end
    pool:close()
    pool:join()
    return pool:stats().deaths > 0
  end,
  unarmed = true,
}

deeds.pool = {
  act = function()
    local pool <close> = mp.Pool { processes = 2, initializer = core.testpoint }
    local options <const> = { on_error = "collect", retries = 2 }
    pool:map(square, mp.range(50), options)
    pool:map(function(x) error(x) end, mp.range(5), options)
    local r <const> = pool:apply_async(mp.sleep, { 1 })
    mp.sleep(0.005)
    r:cancel()
    for x in pool:imap(square, mp.range(50), { on_error = "collect" }) do
      assert(x)
    end
    pool:terminate()
    pool:join()
  end,
}

-- A worker that was killed within a task is buried by its pool's owner.
deeds.burial = {
  act = function()
    local pool <close> = mp.Pool { processes = 2, initializer = core.testpoint }
    pool:map(function(x)
      if x == 3 then
        core.kill(core.getpid(), 9)
      end
    end, mp.range(10), { on_error = "collect" })
  end,
}

return deeds
