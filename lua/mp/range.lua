--- mp.range(a, b [, step]): the integers a numeric `for` would go through, as
-- something to map over that takes no memory.

local blame = require "mp.blame"

local Range = { __name = "mp.Range" }

local function argument_error(n, expected, got)
  blame.raise("bad argument #%d to 'range' (%s expected, got %s)", n, expected, type(got))
end

local function check(n, value)
  if math.type(value) == "integer" then
    return value
  end
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole then
    if type(value) == "number" then
      blame.raise("bad argument #%d to 'range' (number has no integer representation)", n)
    end
    argument_error(n, "number", value)
  end
  return whole
end

-- a // b, of integers without sign.
local function divide(a, b)
  if b < 0 then
    return math.ult(a, b) and 0 or 1
  elseif a >= 0 then
    return a // b
  end
  local q = (a >> 1) // b << 1
  return math.ult(a - q * b, b) and q or q + 1
end

--- range(b) begins at 1.
local function range(a, b, step)
  local first, last
  if b == nil then
    first, last = 1, check(1, a)
  else
    first, last = check(1, a), check(2, b)
  end
  local by = step == nil and 1 or check(3, step)
  if by == 0 then
    blame.raise("bad argument #3 to 'range' (step must not be zero)")
  end
  local n
  if by > 0 and first <= last then
    n = divide(last - first, by) + 1
  elseif by < 0 and first >= last then
    n = divide(first - last, -by) + 1
  else
    return setmetatable({ first = first, step = by, n = 0 }, Range)
  end
  if n <= 0 then
    blame.raise("bad argument #2 to 'range' (too many numbers)")
  end
  return setmetatable({ first = first, step = by, n = n }, Range)
end

function Range:__index(i)
  if math.type(i) == "integer" and i >= 1 and i <= self.n then
    return self.first + (i - 1) * self.step
  end
end

function Range:__len()
  return self.n
end

function Range.__newindex()
  blame.raise "a range cannot be changed"
end

function Range:__tostring()
  return ("mp.range(%d, %d, %d)"):format(
    self.first,
    self.first + (self.n - 1) * self.step,
    self.step
  )
end

return { of = range, Range = Range }
