-- How numbers and the table look.
local rows = require "bench.lib.rows"

local show = {}

-- Three digits that matter.
function show.number(x)
  if x == 0 then
    return "0"
  end
  local digits <const> = math.max(0, 2 - math.floor(math.log(math.abs(x), 10) + 1e-9))
  return (("%%.%df"):format(math.min(digits, 4)):format(x))
end

function show.value(row, x)
  return x and show.number(x / row.scale) or nil
end

-- The costs of a row of several sizes, in the order of the sizes.
function show.points(row, points)
  local sizes, parts = {}, {}
  for size in pairs(points) do
    sizes[#sizes + 1] = size
  end
  table.sort(sizes, function(a, b)
    return tonumber(a) < tonumber(b)
  end)
  for i, size in ipairs(sizes) do
    local cost <const> = points[size] / rows.units[row.points].scale
    parts[i] = ("%s: %s %s"):format(size, show.number(cost), row.points)
  end
  return table.concat(parts, " · ")
end

-- "≥ 4 M/s", "≤ 1.4 × Lua floor".
function show.target(row, titles)
  if row.against and row.against[1] ~= "target" then
    local side <const>, factor <const> = table.unpack(row.against)
    return (row.more and "≥ %s × %s" or "≤ %s × %s"):format(
      show.number(row.more and 1 / factor or factor), titles[side])
  elseif row.target then
    return ("%s %s %s"):format(row.more and "≥" or "≤", show.number(row.target), row.unit)
  end
  return "-"
end

-- A ratio to a peer as "12.3 ×", and what was asked for in brackets.
function show.ratio(ratio, need)
  if not ratio then
    return "-"
  end
  return show.number(ratio) .. (need and (" (%s)"):format(show.number(need)) or "")
end

local function width(text)
  return utf8.len(text) or #text
end

-- One line of columns; `widths` in characters, negative for left-aligned.
function show.line(widths, cells)
  local parts = {}
  for i, cell in ipairs(cells) do
    local space <const> = (" "):rep(math.abs(widths[i]) - width(cell))
    parts[i] = widths[i] < 0 and cell .. space or space .. cell
  end
  return (table.concat(parts, "  "):gsub("%s+$", ""))
end

return show
