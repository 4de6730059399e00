--- mp.chaos: kills processes of a program at random instants, so that its users
-- can see in their own tests what becomes of it then.
--
--     local chaos <close> = mp.chaos { rate = 5 }   -- kills per second
--     run_the_program()
--     print(chaos:stop(), "processes were killed, seed", chaos.seed)
--
-- A child does it (a daemon). It kills what the caller has started, and what
-- those have started; never another program, the caller, itself, or a fork server,
-- without which nothing could be started for a moment.

local blame = require "mp.blame"
local core = require "mp.core"
local process = require "mp.process"
local start = require "mp.start"

local chaos = {}

local SIGKILL <const> = 9

local Chaos = { __name = "mp.Chaos" }
Chaos.__index = Chaos

local OPTIONS <const> = { rate = true, seed = true, workers = true, limit = true }

local function positive(options, name, default, kind)
  local value = options[name]
  if value == nil then
    return default
  end
  local number = type(value) == "number" and value > 0 and value < math.huge and value
  if number and kind == "integer" then
    number = math.tointeger(number)
  end
  if not number then
    local got = type(value) == "number" and tostring(value) or core.typename(value)
    blame.raise("bad option '%s' to 'chaos' (positive %s expected, got %s)", name, kind, got)
  end
  return number
end

-- Those that root started, or those did whom it started, but for the killed:
-- dying takes a moment.
local function descendants(root, me, workers, killed)
  local family = core.family()
  local creator, prey = {}, {}
  for _, relative in ipairs(family) do
    creator[relative.pid] = relative.creator or false
  end
  for _, relative in ipairs(family) do
    local above = relative.pid ~= me and relative.creator
    while above and above ~= root do
      above = creator[above]
    end
    local wanted = relative.worker or not workers and relative.name ~= start.SERVER_NAME
    if above and wanted and not killed[relative.id] then
      prey[#prey + 1] = relative
    end
  end
  return prey
end

--- What the child does.
function chaos.hunt(root, options, stop, kills)
  math.randomseed(options.seed)
  local me <const> = core.getpid()
  local killed <const> = {}
  while kills.value < options.limit do
    -- Like drops of rain: each instant is as likely as any other.
    if stop:wait(-math.log(1 - math.random()) / options.rate) then
      return
    end
    local prey = descendants(root, me, options.workers, killed)
    local choice = math.random(1 << 30)
    local victim = prey[choice % math.max(#prey, 1) + 1]
    if victim and core.signal_relative(victim, SIGKILL) then
      killed[victim.id] = true
      kills:add(1)
    end
  end
end

--- Ends it; returns how many were killed. May be called again.
function Chaos:stop()
  blame.check_self(self, Chaos, "stop")
  if not self.stopped then
    self.stopped = true
    self.event:set()
    if self.creator == core.getpid() then
      self.child:join()
    end
  end
  return self:kills()
end

--- How many were killed until now.
function Chaos:kills()
  blame.check_self(self, Chaos, "kills")
  return self.count.value
end

function Chaos:__close()
  self:stop()
end

function Chaos:__tostring()
  return ("mp.Chaos: rate %g/s, seed %d, %d killed"):format(self.rate, self.seed, self:kills())
end

--- options: rate, kills per second in the mean (1) · seed, an integer that
-- repeats the choices · workers, true: only those of pools · limit, so many
-- kills at most.
function chaos.new(options)
  if options ~= nil and type(options) ~= "table" then
    blame.raise("bad argument #1 to 'chaos' (table expected, got %s)", core.typename(options))
  end
  options = options or {}
  for name in pairs(options) do
    if not OPTIONS[name] then
      blame.raise("bad argument #1 to 'chaos' (invalid option '%s')", tostring(name))
    end
  end
  local seed = options.seed
  if seed == nil then
    seed = math.floor(core.time() * 1e6) ~ core.getpid() << 20
  elseif math.type(seed) ~= "integer" then
    blame.raise("bad option 'seed' to 'chaos' (integer expected)")
  end
  local rate = positive(options, "rate", 1, "number")
  local limit = positive(options, "limit", math.maxinteger, "integer")
  local self = setmetatable({
    rate = rate,
    seed = seed,
    creator = core.getpid(),
    event = core.Event(),
    count = core.Value("q", 0),
  }, Chaos)
  local orders = { rate = rate, seed = seed, limit = limit, workers = options.workers }
  self.child = process.Process {
    target = chaos.hunt,
    args = { self.creator, orders, self.event, self.count },
    name = "mp.chaos",
    daemon = true,
  }
  self.child:start()
  return self
end

return chaos
