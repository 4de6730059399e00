-- The rows of the benchmark: bench/rows/GROUP.lua returns a list of them. One
-- row is one line of the table:
--
--   id       "GROUP.NAME"; by NAME the other sides find their part: a function
--            of bench/python/rows_GROUP.py, a row of bench/floor/GROUP.c
--   text     what is done
--   unit     a key of `units` below
--   target   the least (or most) that is wanted, in that unit
--   speed    {cpython=, floor=, lua=}: the figures, in that unit, that stood
--            beside the target when it was chosen
--   against  {"floor" | "lua" | "cpython", factor}: the target is a factor of
--            that side instead; {"target"}: the target is absolute
--   mp       function() → number in base units (seconds, bytes, per second), or
--            a table size → cost per item
--   needs    names in mp without which the row is skipped
--   python, floor, lua   whether these sides exist (true, true, false)
--   rounds   at most so many rounds (default 5)
--   cpus     skipped where this process may use fewer
--   one_core every side runs on one CPU
--   points   unit of the costs of a row of several sizes; the row's value is
--            then the highest cost divided by that of the smallest size
--   limit    seconds after which a side is given up (default 60)
local rows = {}

rows.groups = {
  "process", "pipe", "codec", "sync", "value", "queue", "pool", "dict", "manager",
  "scaling",
}

-- How a unit is shown: value in base units / scale, and whether more is better.
rows.units = {
  ["s"] = { scale = 1 },
  ["ms"] = { scale = 1e-3 },
  ["µs"] = { scale = 1e-6 },
  ["ns"] = { scale = 1e-9 },
  ["KB"] = { scale = 1e3 },
  ["MB"] = { scale = 1e6 },
  ["k/s"] = { scale = 1e3, more = true },
  ["M/s"] = { scale = 1e6, more = true },
  ["GB/s"] = { scale = 1e9, more = true },
  ["× faster"] = { scale = 1, more = true },
  ["× cost"] = { scale = 1 },
  ["% CPU"] = { scale = 0.01 },
}

local fields <const> = {
  id = "string", text = "string", unit = "string", target = "number", speed = "table",
  against = "table", mp = "function", needs = "table", python = "boolean", floor = "boolean",
  lua = "boolean", rounds = "number", cpus = "number", one_core = "boolean", points = "string",
  limit = "number",
}

local function check(row, group)
  for name, value in pairs(row) do
    assert(fields[name] == type(value), ("%s: bad field '%s'"):format(row.id, name))
  end
  assert(row.id:match("^" .. group .. "%.[%w_]+$"), row.id .. ": not of this group")
  assert(rows.units[row.unit], ("%s: no such unit '%s'"):format(row.id, row.unit))
  assert(not row.points or rows.units[row.points], row.id .. ": no such unit of points")
  assert(row.mp and row.text and row.needs, row.id .. ": text, mp or needs is missing")
  for _, default in ipairs {
    { "python", true }, { "floor", true }, { "lua", false },
    { "rounds", 5 }, { "cpus", 1 }, { "limit", 60 },
  } do
    if row[default[1]] == nil then
      row[default[1]] = default[2]
    end
  end
  row.speed = row.speed or {}
  row.group = group
  row.more = rows.units[row.unit].more or false
  row.scale = rows.units[row.unit].scale
end

-- The rows of one group.
function rows.of(group)
  local list <const> = require("bench.rows." .. group)
  for _, row in ipairs(list) do
    if not row.group then
      check(row, group)
    end
  end
  return list
end

function rows.all()
  local list = {}
  for _, group in ipairs(rows.groups) do
    table.move(rows.of(group), 1, #rows.of(group), #list + 1, list)
  end
  return list
end

-- Those whose ids are one of the words or begin with one that is no id itself,
-- or all without words; nil and the word that fits none.
function rows.select(prefixes)
  if #prefixes == 0 then
    return rows.all()
  end
  local list, taken, used, ids = {}, {}, {}, {}
  for _, row in ipairs(rows.all()) do
    ids[row.id] = true
  end
  for _, row in ipairs(rows.all()) do
    for _, prefix in ipairs(prefixes) do
      if row.id == prefix or not ids[prefix] and row.id:sub(1, #prefix) == prefix then
        used[prefix] = true
        if not taken[row] then
          taken[row] = true
          list[#list + 1] = row
        end
      end
    end
  end
  for _, prefix in ipairs(prefixes) do
    if not used[prefix] then
      return nil, prefix
    end
  end
  return list
end

function rows.find(id)
  for _, row in ipairs(rows.of(id:match("^[^.]+"))) do
    if row.id == id then
      return row
    end
  end
  error("no such row: " .. id)
end

return rows
