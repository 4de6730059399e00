--- The tasks of apply: those of one function that come one after the other
-- share a job, as long as no other job came to the pool in between.

local blame = require "mp.blame"
local core = require "mp.core"
local Submitter = require "mp.submitter"

local stream = {}

local ROOM_MIN <const>, ROOM_MAX <const> = 4, 256
local BYTES <const> = 17000 -- larger arguments stand elsewhere

-- Functions that must be sent anew each time share this key.
local INLINE <const> = {}

local function open(s, f, key)
  s:adopt()
  local old = s.stream
  local room, plan = ROOM_MIN, nil
  if old then
    old.job:seal()
    if old.key == key then
      room, plan = math.min(old.room * 4, ROOM_MAX), old.plan
    end
  end
  if not plan then
    local flags = Submitter.ALL | Submitter.SPREAD
    if key == INLINE then
      plan = s:plan(nil, {}, flags | Submitter.INLINE)
    else
      plan = s:plan(f, {}, flags)
    end
  end
  local new = {
    key = key,
    room = room,
    plan = plan,
    job = plan:open(room, BYTES + room * 64, s:numbers(room)):belong(s),
  }
  s.stream = new
  return new
end

-- An AsyncResult, or nil: the job is full.
local function push(s, job, args, f)
  local result, why
  if f then
    result, why = job:push(args, f)
  else
    result, why = job:push(args)
  end
  if why then
    s:check_running()
    blame.raise(why)
  end
  return result
end

--- Submits f(args…): an AsyncResult.
function stream.submit(s, f, args)
  local current = s.stream
  local key = f
  if not (current and current.key == f) and not core.is_plain(f) then
    key = INLINE
  end
  if not (current and current.key == key) then
    current = open(s, f, key)
  end
  local inline = key == INLINE and f or nil
  local result = push(s, current.job, args, inline)
  if not result then
    current = open(s, f, key)
    result = push(s, current.job, args, inline)
  end
  return result
end

--- The same with a policy of its own, in a job of its own.
function stream.submit_alone(s, f, args, policy)
  local plan = s:plan(f, policy, Submitter.ALL | Submitter.SPREAD)
  local job = plan:open(1, BYTES, s:numbers(1)):belong(s)
  local result = push(s, job, args)
  job:seal()
  local inside = core.inflate(result)
  inside.policy, inside.label = policy, policy.label
  inside:obey(policy)
  return result
end

--- Nothing more will come.
function stream.close(s)
  if s.stream then
    s.stream.job:seal()
    s.stream = nil
  end
end

return stream
