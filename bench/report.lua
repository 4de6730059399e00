-- Turns results of ./dev bench into docs/benchmarks.md and its pictures:
--   lua5.4 bench/report.lua [RESULTS…] [--to DIRECTORY]
-- or, after measuring, ./dev bench --report;
-- from the repository's root; build/bench.jsonl and docs by default. Of a row
-- in several files the last counts. Rows below their target are listed with
-- the reason that bench/reasons.lua gives; one without is an error.
package.path = "./?.lua;" .. package.path

local json = require "bench.lib.json"
local reasons = require "bench.reasons"
local show = require "bench.lib.show"
local svg = require "bench.lib.svg"
local units <const> = require("bench.lib.rows").units

-- The rows of the picture for people in a hurry.
local headline <const> = {
  "process.fork", "process.forkserver", "pipe.awake", "queue.one_to_one", "queue.four_to_four",
  "queue.strings_warm", "sync.lock", "sync.contended", "sync.condition_awake", "value.read",
  "value.array_read", "pool.map", "pool.imap_unordered", "pool.apply", "pool.life_8", "dict.get",
  "dict.set", "pool.memory",
}

local groups <const> = {
  process = "Processes",
  pipe = "Pipes",
  codec = "What is sent, as bytes",
  sync = "Locks and waiting",
  value = "Values and arrays",
  queue = "Queues",
  pool = "The pool",
  dict = "Shared tables",
  manager = "Managers",
}

local function arguments(words)
  local files, to, i = {}, "docs", 1
  while words[i] do
    if words[i] == "--to" then
      i = i + 1
      to = assert(words[i], "--to needs a directory")
    else
      files[#files + 1] = words[i]
    end
    i = i + 1
  end
  return #files > 0 and files or { "build/bench.jsonl" }, to
end

-- The machine of the last file, and the records in the order of first sight.
local function read_results(files)
  local about, list, by_id = nil, {}, {}
  for _, path in ipairs(files) do
    for line in io.lines(path) do
      local record <const> = json.decode(line)
      if not record.row then
        about = record
      elseif by_id[record.row] then
        list[by_id[record.row]] = record
      else
        list[#list + 1] = record
        by_id[record.row] = #list
      end
    end
  end
  return assert(about, "no results"), list
end

local function row_of(record)
  return { scale = units[record.unit].scale, more = record.better == "more" }
end

local function with_unit(record, x)
  return x and show.value(row_of(record), x) .. " " .. record.unit or "–"
end

local function times(ratio, need)
  if not ratio then
    return "–"
  end
  return show.number(ratio) .. " ×" .. (need and (" (%s)"):format(show.number(need)) or "")
end

local function inverse(x)
  return x and 1 / x
end

local function cells(...)
  return "| " .. table.concat({ ... }, " | ") .. " |"
end

local function table_line(record)
  local floor <const> = record.ratio.lua and record.need.lua and "lua" or "floor"
  return cells(
    record.text,
    with_unit(record, record.medians.mp),
    with_unit(record, record.medians.cpython),
    times(record.ratio.cpython, record.need.cpython),
    with_unit(record, record.medians[floor]) .. (floor == "lua" and " (Lua)" or ""),
    times(inverse(record.ratio[floor]), inverse(record.need[floor])),
    record.target_text == "-" and "–" or record.target_text,
    record.met or "–")
end

-- Rows of several sizes: how the cost of one item grows.
local function growth_line(record)
  return cells(
    record.text,
    show.number(record.medians.mp) .. " ×",
    record.medians.cpython and show.number(record.medians.cpython) .. " ×" or "–",
    record.target_text == "-" and "–" or record.target_text:gsub(" × cost", " ×"),
    record.met or "–")
end

-- The cost of one item at each size, a column each.
local function points_table(record)
  local sizes <const>, seen <const> = {}, {}
  for _, points in pairs(record.points) do
    for size in pairs(points) do
      if not seen[size] then
        seen[size], sizes[#sizes + 1] = true, size
      end
    end
  end
  table.sort(sizes, function(a, b)
    return tonumber(a) < tonumber(b)
  end)
  local scale <const> = units[record.points_unit].scale
  local lines <const> = {
    ("\n**%s**, cost of one in %s:\n"):format(record.text, record.points_unit),
    cells("", table.unpack(sizes)),
    "|---" .. ("|--:"):rep(#sizes) .. "|",
  }
  for _, side in ipairs { { "mp", "mp" }, { "cpython", "CPython" } } do
    local points <const> = record.points[side[1]]
    local costs = {}
    for i, size in ipairs(sizes) do
      costs[i] = points and points[size] and show.number(points[size] / scale) or "–"
    end
    if points then
      lines[#lines + 1] = cells(side[2], table.unpack(costs))
    end
  end
  return table.concat(lines, "\n")
end

-- Whether the figure itself is reached, whatever the peers did in this run.
local function reaches_figure(record)
  if not record.target or not record.medians.mp then
    return false
  elseif record.better == "more" then
    return record.medians.mp >= record.target
  end
  return record.medians.mp <= record.target
end

local names <const> = { cpython = "CPython", floor = "the C floor", lua = "the Lua floor" }

-- By how much which ratio was missed, in words.
local function missed(record)
  local parts = {}
  for _, side in ipairs { "cpython", "floor", "lua" } do
    local ratio <const>, need <const> = record.ratio[side], record.need[side]
    if ratio and need and ratio < need then
      local better <const> = side == "cpython"
      parts[#parts + 1] = ("%s × %s instead of %s ×"):format(
        show.number(better and ratio or 1 / ratio), names[side],
        show.number(better and need or 1 / need))
    end
  end
  return #parts > 0 and ", " .. table.concat(parts, ", ") or ""
end

local function unmet(list)
  local lines, without = {}, {}
  for _, record in ipairs(list) do
    if record.met and record.met ~= "yes" then
      local reason <const> = reasons[record.row]
      if not reason then
        without[#without + 1] = record.row
      end
      lines[#lines + 1] = ("- **%s**: %s, wanted %s%s%s. %s"):format(
        record.text, with_unit(record, record.medians.mp), record.target_text,
        reaches_figure(record) and " (reached)" or "", missed(record),
        reason or "No reason is known.")
    end
  end
  return lines, without
end

-- How many rows reach their targets.
local function score(list)
  local met, all = 0, 0
  for _, record in ipairs(list) do
    if record.met then
      all = all + 1
      met = met + (record.met == "yes" and 1 or 0)
    end
  end
  return met, all
end

local head <const> = [[
<!-- Made by bench/report.lua of what ./dev bench measured; do not edit. -->

# Benchmarks

![mp against CPython](benchmarks/ratio.svg)

Measured on %s: %s, %d CPUs, %d MB, %s, %s; %s (%s), %s, %s. %d of %d rows reach their
target; the others are listed [below](#below-the-target), each with its reason. `./dev
bench --report` measures everything and writes this page.

## How to read it

mp, CPython and the floors did the same work in turn, each in a process of its own, and
each checked its results; the medians are shown. **Floor** is a C program that does the
least the kernel allows: no Lua, no timeouts, no safety against killed processes; where
it says (Lua), a C function called from Lua. "× CPython" is how many times better mp is,
"× floor" how many times worse than the floor.

The speed of machines differs and drifts, so what counts is the ratio in one run. A
target is a figure that was chosen beside figures of CPython and the floor, and so asks
for a ratio to each: it stands in brackets. "Met" says "yes" if each ratio asked for is
reached, and "against CPython" or "against floor" if one of two is.
]]

local columns <const> = cells(
  "what", "mp", "CPython", "× CPython", "floor", "× floor", "target", "met")
  .. "\n" .. "|---|--:|--:|--:|--:|--:|--:|---|"

local growth <const> = [[

## How cost grows

The highest cost of one item at any size, divided by the cost at the smallest:

| what | mp | CPython | target | met |
|---|--:|--:|--:|---|]]

local function page(about, list, lines)
  local met <const>, all <const> = score(list)
  local out = {
    head:format(about.date, about.cpu, about.cpus, about.memory_mb, about.system, about.kernel,
      about.mp, about.commit, about.lua, about.cpython or "no CPython", met, all),
  }
  local group
  local growing <const> = {}
  for _, record in ipairs(list) do
    local own <const> = record.row:match("^[^.]+")
    if record.points then
      growing[#growing + 1] = record
    else
      if own ~= group then
        group = own
        out[#out + 1] = ("\n## %s\n\n%s"):format(
          group == "scaling" and "At rest" or groups[group], columns)
      end
      out[#out + 1] = table_line(record)
    end
  end
  if #growing > 0 then
    out[#out + 1] = growth
    for _, record in ipairs(growing) do
      out[#out + 1] = growth_line(record)
    end
    for _, record in ipairs(growing) do
      out[#out + 1] = points_table(record)
    end
    out[#out + 1] = "\n![Speed-up by workers](benchmarks/speedup.svg)"
  end
  out[#out + 1] = "\n## Below the target\n"
  out[#out + 1] = #lines > 0 and table.concat(lines, "\n") or "No row."
  out[#out + 1] = "\n## All against CPython\n\n![every row](benchmarks/all.svg)"
  return table.concat(out, "\n") .. "\n"
end

local function ratio_bar(record)
  local ratio <const> = record.ratio.cpython
  return {
    label = record.text, value = ratio, shown = show.number(ratio) .. " ×", good = ratio >= 1,
  }
end

local function ratio_chart(list, chosen)
  local bars = {}
  for _, record in ipairs(list) do
    if record.ratio.cpython and record.medians.mp and (not chosen or chosen[record.row]) then
      bars[#bars + 1] = ratio_bar(record)
    end
  end
  return { title = "mp against CPython's multiprocessing", log = true, origin = 1, bars = bars,
    note = "How many times better, in one run on one machine; logarithmic" }
end

-- The pool by its number of workers, against a plain loop.
local function speedup_chart(record)
  local points <const> = record and record.points and record.points.mp or { ["0"] = 1 }
  local counts, bars = {}, {}
  for count in pairs(points) do
    counts[#counts + 1] = math.tointeger(tonumber(count))
  end
  table.sort(counts)
  for i, count in ipairs(counts) do
    local value <const> = points["0"] / points[tostring(count)]
    bars[i] = {
      label = count == 0 and "a plain loop" or ("pool of %d"):format(count),
      value = value, shown = show.number(value) .. " ×", good = value >= 1,
    }
  end
  return { title = "Speed-up of a CPU-bound map", origin = 0, bars = bars,
    note = "The documents' f, sums of squares" }
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  print("wrote " .. path)
end

local files <const>, to <const> = arguments(arg)
local about <const>, list <const> = read_results(files)
local by_id, chosen = {}, {}
for _, record in ipairs(list) do
  by_id[record.row] = record
end
for _, id in ipairs(headline) do
  chosen[id] = true
end
local lines <const>, without <const> = unmet(list)
assert(os.execute(("mkdir -p '%s/benchmarks'"):format(to)))
write(to .. "/benchmarks.md", page(about, list, lines))
write(to .. "/benchmarks/ratio.svg", svg.bars(ratio_chart(list, chosen)))
write(to .. "/benchmarks/all.svg", svg.bars(ratio_chart(list)))
write(to .. "/benchmarks/speedup.svg", svg.bars(speedup_chart(by_id["scaling.document_workers"])))
for _, id in ipairs(without) do
  io.stderr:write("report: no reason in bench/reasons.lua for " .. id .. "\n")
end
os.exit(#without == 0)
