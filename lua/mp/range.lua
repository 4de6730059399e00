--- mp.range(a, b [, step]): the integers a numeric `for` would go through, as
-- something to map over that takes no memory.

local Range = { __name = "mp.Range" }

local function argument_error(n, expected, got)
  error(("bad argument #%d to 'range' (%s expected, got %s)"):format(n, expected, type(got)), 3)
end

local function check(n, value)
  if math.type(value) == "integer" then
    return value
  end
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole then
    if type(value) == "number" then
      error(("bad argument #%d to 'range' (number has no integer representation)"):format(n), 3)
    end
    argument_error(n, "number", value)
  end
  return whole
end

--- range(b) begins at 1.
local function range(a, b, step)
  if b == nil then
    a, b = 1, a
  end
  local first, last = check(1, a), check(2, b)
  local by = step == nil and 1 or check(3, step)
  if by == 0 then
    error("bad argument #3 to 'range' (step must not be zero)", 2)
  end
  local n = 0
  if by > 0 and first <= last then
    n = (last - first) // by + 1
  elseif by < 0 and first >= last then
    n = (first - last) // -by + 1
  end
  if n < 0 then
    error("bad argument #2 to 'range' (too many numbers)", 2)
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

function Range:__tostring()
  return ("mp.range(%d, %d, %d)"):format(
    self.first,
    self.first + (self.n - 1) * self.step,
    self.step
  )
end

return { of = range, Range = Range }
