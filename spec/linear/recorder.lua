-- Records what processes do, in memory that survives them: a process that is
-- killed leaves its last call without a return.
local mp = require "mp"

local recorder = {}

local WORDS <const> = 5 -- op, argument, call, return, result
local RESULT <const> = { [false] = -1, [true] = -2 }

--- A tape for so many operations of one process.
function recorder.tape(count)
  return mp.RawArray("q", count * WORDS + 1)
end

local function nanoseconds()
  return math.floor(mp.time() * 1e9)
end

--- Does f() and writes it down; f returns a natural number or a boolean. false:
-- the tape is full.
function recorder.record(tape, op, arg, f)
  local n <const> = tape[1]
  local base <const> = 1 + n * WORDS
  if base + WORDS > #tape then
    return false
  end
  tape[base + 1] = op
  tape[base + 2] = arg
  tape[base + 4] = 0
  tape[base + 3] = nanoseconds()
  tape[1] = n + 1
  local result = f()
  tape[base + 5] = RESULT[result] or result
  tape[base + 4] = nanoseconds()
  return true
end

--- What a tape says: a process's list for the checker. names: of operations, by
-- number.
function recorder.read(tape, names)
  local list = {}
  for i = 1, tape[1] do
    local base <const> = 1 + (i - 1) * WORDS
    local result = tape[base + 5]
    if result == RESULT[false] then
      result = false
    elseif result == RESULT[true] then
      result = true
    end
    local ret = tape[base + 4]
    list[i] = {
      op = names[tape[base + 1]],
      arg = tape[base + 2],
      call = tape[base + 3],
      ret = ret ~= 0 and ret or nil,
      result = result,
    }
  end
  return list
end

return recorder
