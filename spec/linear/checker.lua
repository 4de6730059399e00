-- Whether a history of operations by several processes on one object can be
-- explained by an order in which each took effect at one instant between its
-- call and its return (linearizability). The search is Wing and Gong's, with
-- what was seen remembered (Lowe).
--
-- A history is a list of processes; each is a list of operations in its order,
-- { call =, ret =, op =, arg =, result = }. One that was killed may have a last
-- operation without ret and result: it took effect at some time after its call,
-- with any result, or never.
--
-- A model says what an object does one operation after the other:
--
--     init                             the state at first
--     step(state, operation, process)  the state after it, or nil: it cannot
--                                      have this result now
--     key(state)                       a string: equal ones go on equally
--
-- Its limits: it looks at one object at a time, and clocks decide what came
-- before what, so operations closer than the clocks' difference count as at
-- the same time. The search may take exponential time where many operations
-- overlap; `most` states are looked at, then the answer is "undecided".
local checker = {}

local MOST <const> = 2000000

-- The earliest return of the operations that are still to come: who was called
-- after it cannot be next.
local function horizon(history, at)
  local earliest = math.huge
  for p, operations in ipairs(history) do
    local o = operations[at[p]]
    if o and o.ret and o.ret < earliest then
      earliest = o.ret
    end
  end
  return earliest
end

local function all_returned(history, at)
  for p, operations in ipairs(history) do
    local o = operations[at[p]]
    if o and o.ret then
      return false
    end
  end
  return true
end

--- true; or false and how far the best explanation got; or nil, "undecided".
function checker.check(history, model, most)
  most = most or MOST
  local at = {}
  for p = 1, #history do
    at[p] = 1
  end
  local seen, looks, done, best = {}, 0, 0, 0

  local function explain(state)
    if all_returned(history, at) then
      return true
    end
    local mark <const> = table.concat(at, ",") .. "|" .. model.key(state)
    if seen[mark] then
      return false
    end
    seen[mark] = true
    looks = looks + 1
    if looks > most then
      error(checker)
    end
    best = math.max(best, done)
    local latest <const> = horizon(history, at)
    for p, operations in ipairs(history) do
      local o = operations[at[p]]
      if o and o.call <= latest then
        local after = model.step(state, o, p)
        if after ~= nil then
          at[p] = at[p] + 1
          done = done + 1
          if explain(after) then
            return true
          end
          at[p] = at[p] - 1
          done = done - 1
        end
      end
    end
    return false
  end

  local ok <const>, found = pcall(explain, model.init)
  if ok then
    return found, best
  elseif found == checker then
    return nil, "undecided"
  end
  error(found, 0)
end

return checker
