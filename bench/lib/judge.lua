-- From measurements to verdicts.
--
-- The machine's speed drifts, so a target in seconds says little: what counts
-- is the ratio in one run. A target was chosen beside figures of the peers
-- (`speed`), so it asks for a ratio to each: as many times better than CPython
-- as the target is better than CPython's figure, and so on.
local judge = {}

function judge.median(list)
  local sorted <const> = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle <const> = #sorted // 2
  return #sorted % 2 == 1 and sorted[middle + 1] or (sorted[middle] + sorted[middle + 1]) / 2
end

-- How many times better a is than b.
local function times_better(row, a, b)
  return row.more and a / b or b / a
end

-- The ratio to a side that the target asks for, or nil.
local function needed(row, side)
  if row.against then
    return row.against[1] == side and 1 / row.against[2] or nil
  end
  local figure <const> = row.speed[side]
  return row.target and figure and times_better(row, row.target, figure)
end

-- `medians` is side → number. What is a ratio already is not compared. Returns
-- {ratio = {side → times better}, need = {side → times better}, met = "yes" |
-- "no" | "against SIDE" | nil}.
function judge.verdict(row, medians)
  local v = { ratio = {}, need = {} }
  local asked, met, met_by = 0, 0, nil
  for _, side in ipairs { "cpython", "floor", "lua" } do
    v.need[side] = needed(row, side)
    if medians.mp and medians[side] and not row.unit:match("^×") then
      v.ratio[side] = times_better(row, medians.mp, medians[side])
      if v.need[side] then
        asked = asked + 1
        if v.ratio[side] >= v.need[side] then
          met, met_by = met + 1, side
        end
      end
    end
  end
  if medians.mp and asked == 0 and row.target then
    asked = 1
    met = times_better(row, medians.mp, row.target * row.scale) >= 1 and 1 or 0
  end
  if asked > 0 then
    v.met = met == asked and "yes" or met == 0 and "no" or "against " .. met_by
  end
  return v
end

-- The medians of a row of several sizes, and its value: the highest cost
-- divided by that of the smallest size.
function judge.points(rounds)
  local by_size = {}
  for _, points in ipairs(rounds) do
    for size, cost in pairs(points) do
      by_size[size] = by_size[size] or {}
      table.insert(by_size[size], cost)
    end
  end
  local medians, smallest, highest = {}, math.huge, 0
  for size, costs in pairs(by_size) do
    medians[size] = judge.median(costs)
    smallest = math.min(smallest, size)
    highest = math.max(highest, medians[size])
  end
  return medians, highest / medians[smallest]
end

return judge
