--- The workers of a pool as its creator sees them: processes to be started,
-- replaced when they die or are weary, and waited for.

local core = require "mp.core"
local Error = require "mp.error"
local process = require "mp.process"
local worker = require "mp.worker"

local Crew = {}
Crew.__index = Crew

-- A worker that ends sooner than this without having had a task: its successor
-- waits, longer each time.
local YOUNG <const> = 1
local PAUSE_MIN <const>, PAUSE_MAX <const> = 0.05, 2
-- The pool is broken when workers ended before they were ready for tasks so
-- many times in a row: because an initializer failed or the process gave up, or
-- ended by a signal, which may come from somebody who just likes to kill.
local TRIES <const>, TRIES_KILLED <const> = 3, 6

--- options: those of the pool (mp.pool_options), and Process, a class.
function Crew.new(pool, options)
  return setmetatable({
    pool = pool,
    options = options,
    size = options.processes,
    output_lock = options.output == "group" and core.Lock() or nil,
    members = {},
    pause = 0,
    start_at = 0,
    failures = 0,
    stuck = 0, -- failures since the last worker that was ready for tasks
    failed_at = -math.huge,
  }, Crew)
end

function Crew:start_one()
  local o = self.options
  local seat, number = self.pool:seat()
  if not seat then
    return nil, number
  end
  local name = ("%s-%d"):format(o.name or "worker", number)
  local child = o.Process {
    target = worker.main,
    args = {
      self.pool,
      seat,
      {
        name = name,
        initializer = o.initializer,
        initargs = o.initargs,
        maxtasksperchild = o.maxtasksperchild,
        max_mem = o.max_mem,
        nice = o.nice,
        affinity = o.affinity and o.affinity[seat % self.size % #o.affinity + 1],
        output = o.output or "line",
        output_lock = self.output_lock,
        depth = o.depth + 1,
      },
    },
    name = name,
    daemon = true,
  }
  process.mark_worker(child)
  local ok, err = pcall(child.start, child)
  if not ok then
    self.pool:bury(seat, 0)
    return nil, (tostring(err):gsub("cannot send .-args%[3%]%.", "cannot send "))
  end
  self.members[#self.members + 1] = {
    process = child,
    seat = seat,
    number = number,
    name = name,
    started = core.time(),
  }
  return true
end

--- Starts all of them, or raises and leaves none.
function Crew:start()
  for _ = 1, self.size do
    local ok, err = self:start_one()
    if not ok then
      self:kill()
      self:join()
      error(err, 0)
    end
  end
end

-- A worker was of no use, or could not be started. The first time it is replaced
-- at once. Those that began together are one time.
function Crew:slow_down(started)
  if started >= self.failed_at then
    self.failed_at = core.time()
    self.start_at = self.failed_at + self.pause
    self.pause = math.min(self.pause == 0 and PAUSE_MIN or self.pause * 2, PAUSE_MAX)
    self.failures = self.failures + 1
    self.stuck = self.stuck + 1
  end
end

function Crew:break_(why)
  self.broken = why
  self.pool:break_(why)
end

-- A process could not even be started.
function Crew:not_started(why)
  self:slow_down(core.time())
  self.obstacle = "workers cannot start: " .. tostring(why)
  if #self.members == 0 and self.failures >= TRIES_KILLED then
    self:break_(Error.new { kind = "error", message = self.obstacle })
  end
end

--- What went wrong before may go well now.
function Crew:try_again()
  self.stuck, self.pause, self.start_at = 0, 0, 0
end

--- Why there are fewer workers than there should be, once they failed to start
-- so often that waiting is of no use; nil.
function Crew:obstacle_now()
  return self.stuck >= TRIES_KILLED and self.obstacle or nil
end

-- Why a worker was never ready: what its first steps raised, or how it ended.
local function cause_of(child)
  local ok, how, err = pcall(child.result, child)
  if ok and how == "failed" then
    return err
  elseif ok then
    how = Error.lost(child.name, child.pid, child.exitcode)
  end
  if how.kind == "lost" or how.kind == "exit" then
    how.message = "workers cannot start: " .. how.message
  end
  return how
end

-- A worker's process is over.
function Crew:ended(member)
  local child = member.process
  local state, _, _, busy, _, tasks = self.pool:look(member.seat)
  local unready = state == "starting" and cause_of(child)
  self.pool:bury(member.seat, child.exitcode or 255)
  child:close()
  local useless = state ~= "left" and not busy and tasks == 0
  if unready or useless and core.time() - member.started < YOUNG then
    self:slow_down(member.started)
  else
    self.pause = 0
  end
  if not unready then
    self.failures = 0
    return
  end
  self.obstacle = unready
  if self.failures >= (unready.signo and TRIES_KILLED or TRIES) then
    self:break_(unready)
  end
end

-- Whether more workers are wanted now.
function Crew:wants_more()
  local state = self.pool:state()
  return state == "run" or state == "close" and self.pool:pending() > 0
end

--- Whether a worker that has done its share of tasks waits for its successor.
function Crew:is_weary()
  if self.options.maxtasksperchild then
    for _, member in ipairs(self.members) do
      if select(5, self.pool:look(member.seat)) then
        return true
      end
    end
  end
  return false
end

--- Buries workers that died, starts those that are missing. How many live.
function Crew:tend()
  local live, weary = {}, {}
  for _, member in ipairs(self.members) do
    if not member.process:is_alive() then
      self:ended(member)
    else
      live[#live + 1] = member
      local state, _, _, _, tired = self.pool:look(member.seat)
      if tired then
        weary[#weary + 1] = member
      elseif state == "live" then
        self.failures = 0
        self.stuck = member.ready and self.stuck or 0
        member.ready = true
      end
    end
  end
  self.members = live
  local serving = #live - #weary
  while serving < self.size and core.time() >= self.start_at and self:wants_more() do
    local ok, why = self:start_one()
    if not ok then
      self:not_started(why)
      break
    end
    serving = serving + 1
  end
  -- The weary go when as many fresh ones have come as there should be.
  local fresh = 0
  for _, member in ipairs(self.members) do
    local state, _, _, _, tired = self.pool:look(member.seat)
    fresh = fresh + (state == "live" and not tired and 1 or 0)
  end
  local spare = self:wants_more() and #weary + fresh - self.size or #weary
  for i = 1, math.min(spare, #weary) do
    self.pool:retire(weary[i].seat)
  end
  return #self.members
end

--- Asks them to end.
function Crew:terminate()
  for _, member in ipairs(self.members) do
    member.process:terminate()
  end
end

function Crew:kill()
  for _, member in ipairs(self.members) do
    member.process:kill()
  end
end

--- Waits until all have left, starting others as long as there is work: true,
-- or nil, "timeout". each: called now and then.
function Crew:join(deadline, each)
  while self:tend() > 0 do
    if each then
      each()
    end
    local left = deadline and deadline - core.time() or 0.05
    if left <= 0 then
      return nil, "timeout"
    end
    local member = self.members[1]
    if member then
      member.process:join(math.min(left, 0.05))
    end
  end
  return true
end

--- The member in the seat.
function Crew:member_of(seat)
  for _, member in ipairs(self.members) do
    if member.seat == seat then
      return member
    end
  end
end

return Crew
