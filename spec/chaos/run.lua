-- Chaos: a family of processes that use everything at once, while its members
-- are killed, stopped and terminated at random instants and at test points.
--
--   ./dev chaos [MINUTES [SHORT]]      MP_SEED=N repeats a run's choices
--
-- SHORT is what there is little of (tools/chaos.sh sees to it): arena,
-- descriptors, memory. Then an actor may end with an error that says so.
--
-- After each round everything is given up, and the arena must be as it was:
-- its structure sound, no object, no hold, no process left.
local mp = require "mp"
local core = require "mp.core"
local actors = require "spec.chaos.actors"

local minutes <const> = tonumber(arg[1]) or 5
local short <const> = arg[2]
local seed <const> = tonumber(os.getenv "MP_SEED") or os.time()
local SIGSTOP <const>, SIGCONT <const> = 19, 18

local counts = {
  rounds = 0,
  started = 0,
  killed = 0,
  stopped = 0,
  terminated = 0,
  points = 0,
  lacking = 0,
}

local function make_world()
  local world = {}
  world.left, world.right = mp.Pipe()
  world.queue = mp.Queue and mp.Queue(50)
  world.lock = mp.Lock and mp.Lock()
  world.cells = mp.Array and mp.Array("q", { 0, 0 })
  world.total = mp.Value and mp.Value("q", 0)
  world.dict = mp.dict and mp.dict()
  if short == "arena" then
    world.ballast = mp.Queue()
    local piece <const> = ("b"):rep(1 << 20)
    repeat
      local stats <const> = mp.stats()
    until stats.used > stats.arena * 0.85 or not world.ballast:put(piece)
  end
  return world
end

local LACKS <const> = {
  "no memory",
  "not enough memory",
  "Cannot allocate",
  "Too many open files",
}

-- Whether an error says that there was not enough of something.
local function is_lack(err)
  for _, words in ipairs(LACKS) do
    if tostring(err):find(words, 1, true) then
      return true
    end
  end
  return false
end

-- A member; it may have orders to die at the nth test point that it passes.
local function run_actor(name, world, own_seed, point)
  math.randomseed(own_seed)
  if point then
    core.testpoint("*", point)
  end
  if short == "memory" then
    -- The kernel's choice falls on us rather than on the parent.
    local file <close> = io.open("/proc/self/oom_score_adj", "w")
    file:write "500"
  end
  local ok <const>, err <const> = pcall(actors[name], world)
  if not ok and not (short and is_lack(err)) then
    error(err, 0)
  end
end

local function start(names, world)
  local name <const> = names[math.random(#names)]
  local point <const> = math.random(3) == 1 and math.random(2000) or nil
  local p <const> = mp.Process {
    target = run_actor,
    args = { name, world, math.random(1 << 30), point, n = 4 },
    name = name,
  }
  counts.started = counts.started + 1
  counts.points = counts.points + (point and 1 or 0)
  return p:start()
end

-- An actor ends by being killed; one that ended by itself found something, or
-- had not enough of something.
local function check_end(p)
  if p.exitcode == 0 and short then
    counts.lacking = counts.lacking + 1
  elseif p.exitcode and p.exitcode >= 0 then
    error(("%s ended by itself, with exit code %d"):format(p.name, p.exitcode), 0)
  end
end

local function kill_one(members)
  local i <const> = math.random(#members)
  local p <const> = members[i]
  local how <const> = math.random(10)
  if how <= 6 then
    p:kill()
    counts.killed = counts.killed + 1
  elseif how <= 8 then
    p:terminate()
    counts.terminated = counts.terminated + 1
  else
    core.kill(p.pid, SIGSTOP)
    counts.stopped = counts.stopped + 1
    mp.sleep(math.random() * 0.06)
    core.kill(p.pid, SIGCONT)
    return
  end
  p:join()
  check_end(p)
  table.remove(members, i)
end

local function objects()
  local stats <const> = mp.stats()
  local list = { ("holds=%d"):format(stats.holds), ("processes=%d"):format(stats.processes) }
  for kind, n in pairs(stats.objects) do
    if kind ~= "code" and kind ~= "Code" then
      list[#list + 1] = ("%s=%d"):format(kind, n)
    end
  end
  table.sort(list)
  return table.concat(list, " ")
end

local function round(names)
  local world = make_world()
  local members = {}
  for _ = 1, 6 do
    members[#members + 1] = start(names, world)
  end
  local until_time <const> = mp.time() + 1.5
  while mp.time() < until_time do
    mp.sleep(math.random() * 0.03)
    for i = #members, 1, -1 do
      if not members[i]:is_alive() then
        check_end(members[i])
        table.remove(members, i)
      end
    end
    if #members > 0 then
      kill_one(members)
    end
    while #members < 6 do
      members[#members + 1] = start(names, world)
    end
  end
  for _, p in ipairs(members) do
    p:kill()
    assert(p:join(10), "a killed process does not end")
    check_end(p)
  end
  for _, object in pairs(world) do
    if object.close then
      object:close()
    end
  end
end

-- The arena as it was: daemons of killed members may take a moment to be gone.
local function settled(before)
  local deadline <const> = mp.time() + 5
  while true do
    collectgarbage()
    collectgarbage()
    local now <const> = objects()
    if now == before then
      return
    end
    if mp.time() > deadline then
      error(("left behind:\n  before %s\n  after  %s"):format(before, now), 0)
    end
    mp.sleep(0.05)
  end
end

print("MP_SEED=" .. seed)
math.randomseed(seed)
local names <const> = actors.available(make_world())
print("actors: " .. table.concat(names, " "))
collectgarbage()
collectgarbage()
local before <const> = objects()
local finish <const> = mp.time() + minutes * 60
local ok, err = pcall(function()
  while mp.time() < finish do
    round(names)
    counts.rounds = counts.rounds + 1
    local broken <const> = core.check()
    assert(broken == 0, "the arena breaks rule " .. broken)
    settled(before)
  end
end)
print(("%d rounds: %d started, %d killed, %d terminated, %d stopped, %d with a test point"):format(
  counts.rounds, counts.started, counts.killed, counts.terminated, counts.stopped, counts.points
))
if short then
  print(("%d ended for want of %s"):format(counts.lacking, short))
end
if not ok then
  print("FAILED (MP_SEED=" .. seed .. "): " .. tostring(err))
  for _, p in ipairs(mp.active_children()) do
    p:kill()
  end
  os.exit(1)
end
