-- The benchmark, side by side: see `usage`. Run from the repository's root by
-- ./dev bench, which builds what is measured.
package.path = "./?.lua;" .. package.path

local json = require "bench.lib.json"
local judge = require "bench.lib.judge"
local machine = require "bench.lib.machine"
local rows = require "bench.lib.rows"
local show = require "bench.lib.show"
local sides = require "bench.lib.sides"

local usage <const> = [[
usage: ./dev bench [OPTION...] [ROW...]

Measures the rows named, or whose names begin so (a group: pool), or all. Each
side of a row is a process of its own; mp, CPython (if python3 is there;
MP_PYTHON names another) and the floors take turns, round after round, and the
medians are shown. The floor is a C program that does the least the kernel
allows. Every side checks its results.

  --list          name the rows
  --rounds N      rounds of each row (default: 5, fewer for slow rows)
  --sides A,B     measure these only: mp, cpython, floor, lua
  --full          the long rows in full, up to 10 million items
  --output FILE   one line of JSON per row (default build/bench.jsonl)
  --report        write docs/benchmarks.md and its pictures of the results
  --json          print these lines instead of the table

Behind CPython stands how many times better mp is, behind the floor how many
times worse, in brackets what the target asks for: the machine's speed drifts,
so what counts is the ratio in this run.]]

local function fail(form, ...)
  io.stderr:write("bench: ", form:format(...), "\n")
  os.exit(2)
end

local function options_of(words)
  local o = { prefixes = {}, output = "build/bench.jsonl", sides = {} }
  for _, name in ipairs(sides.names) do
    o.sides[name] = true
  end
  local i = 1
  local function value()
    i = i + 1
    return words[i] or fail("%s needs a value", words[i - 1])
  end
  while words[i] do
    local word <const> = words[i]
    if word == "--help" or word == "-h" then
      print(usage)
      os.exit(0)
    elseif word == "--list" then
      o.list = true
    elseif word == "--json" then
      o.json = true
    elseif word == "--report" then
      o.report = true
    elseif word == "--full" then
      o.full = true
    elseif word == "--output" then
      o.output = value()
    elseif word == "--rounds" then
      o.rounds = math.tointeger(tonumber(value()))
      if not o.rounds or o.rounds < 1 then
        fail("--rounds needs a positive number")
      end
    elseif word == "--sides" then
      o.sides = {}
      for name in value():gmatch("[^,]+") do
        if not sides.titles[name] then
          fail("no such side: %s", name)
        end
        o.sides[name] = true
      end
    elseif word:sub(1, 1) == "-" then
      fail("no such option: %s (see --help)", word)
    else
      o.prefixes[#o.prefixes + 1] = word
    end
    i = i + 1
  end
  return o
end

-- Every side in turn, round after round. Returns side → list of results, and
-- side → {"skip" | "failed", why}.
local function measure(row, peers, o)
  local results, absent = {}, {}
  for _, side in ipairs(sides.names) do
    local missing <const> = not o.sides[side] and "not asked for" or peers:missing(side, row)
    if missing then
      absent[side] = { "skip", missing }
    end
  end
  for _ = 1, o.rounds or row.rounds do
    for _, side in ipairs(sides.names) do
      if not absent[side] then
        local result <const>, word <const>, why <const> = peers:run(side, row)
        if result then
          results[side] = results[side] or {}
          table.insert(results[side], result)
        else
          absent[side] = { word, why }
          results[side] = nil
        end
      end
    end
  end
  return results, absent
end

-- JSON's objects have strings for keys.
local function by_name(points)
  local named = {}
  for size, cost in pairs(points) do
    named[tostring(size)] = cost
  end
  return named
end

-- What is known about a row, as it goes into the results.
local function record_of(row, results, absent)
  local medians, points = {}, nil
  for side, list in pairs(results) do
    if type(list[1]) == "table" then
      points = points or {}
      points[side], medians[side] = judge.points(list)
      points[side] = by_name(points[side])
    else
      medians[side] = judge.median(list)
    end
  end
  local verdict <const> = judge.verdict(row, medians)
  local why = {}
  for side, reason in pairs(absent) do
    why[side] = reason[1] == "failed" and "failed: " .. reason[2] or reason[2]
  end
  return {
    row = row.id, text = row.text, unit = row.unit, better = row.more and "more" or "less",
    target = row.target and row.target * row.scale, target_text = show.target(row, sides.titles),
    medians = medians, rounds = not points and results or nil,
    points = points, points_unit = row.points,
    ratio = verdict.ratio, need = verdict.need, met = verdict.met, absent = why,
  }
end

local widths <const> = { -24, 9, 9, 16, 9, 16, -8, -17, -20 }

local function inverse(x)
  return x and 1 / x
end

local function print_record(row, record)
  local m <const>, ratio <const>, need <const> = record.medians, record.ratio, record.need
  local floor <const> = ratio.lua and need.lua and "lua" or "floor"
  local skipped <const> = record.absent.mp and record.absent.mp:match("[^\n]*")
  print(show.line(widths, {
    row.id,
    show.value(row, m.mp) or "-",
    show.value(row, m.cpython) or "-",
    show.ratio(ratio.cpython, need.cpython),
    show.value(row, m[floor]) or "-",
    show.ratio(inverse(ratio[floor]), inverse(need[floor])),
    row.unit,
    record.target_text,
    record.met or skipped or "-",
  }))
  for _, side in ipairs(sides.names) do
    if record.points and record.points[side] then
      print(("    %s  %s"):format(sides.titles[side], show.points(row, record.points[side])))
    end
  end
end

local o <const> = options_of(arg)
local chosen <const>, unknown <const> = rows.select(o.prefixes)
if not chosen then
  fail("no row begins with '%s' (see --list)", unknown)
end
if o.list then
  for _, row in ipairs(chosen) do
    print(("%-26s %s"):format(row.id, row.text))
  end
  os.exit(0)
end

local peers <close> = sides.open()
if o.full then
  peers.environment = peers.environment .. " MP_BENCH_FULL=1"
end
io.stdout:setvbuf("line")
os.execute("mkdir -p build")
local output <close> = assert(io.open(o.output, "w"))
output:setvbuf("line")

local function record_line(line)
  output:write(line, "\n")
  if o.json then
    print(line)
  end
end

local about <const> = machine(peers)
record_line(json.encode(about))
if not o.json then
  print(("%s, %d CPUs, %s, load %s; %s, %s, %s"):format(
    about.cpu, about.cpus, about.kernel, about.load, about.mp, about.lua,
    peers.python and about.cpython or "no python3: nothing to stand in CPython's column"))
  print(show.line(widths, {
    "row", "mp", "CPython", "× (needed)", "floor", "× (needed)", "unit", "target", "met?",
  }))
end

local count <const> = { met = 0, unmet = 0, skipped = 0, failed = 0 }
for _, row in ipairs(chosen) do
  local results <const>, absent <const> = measure(row, peers, o)
  local record <const> = record_of(row, results, absent)
  record_line(json.encode(record))
  if not o.json then
    print_record(row, record)
  end
  for side, reason in pairs(absent) do
    if reason[1] == "failed" then
      count.failed = count.failed + 1
      io.stderr:write(("bench: %s, %s: %s\n"):format(row.id, sides.titles[side], reason[2]))
    end
  end
  if record.met then
    local key <const> = record.met == "yes" and "met" or "unmet"
    count[key] = count[key] + 1
  elseif absent.mp and absent.mp[1] == "skip" then
    count.skipped = count.skipped + 1
  end
end
if not o.json then
  print(("%d met, %d not, %d skipped, %d failed; results in %s"):format(
    count.met, count.unmet, count.skipped, count.failed, o.output))
end
output:flush()
local told <const> = not o.report
  or os.execute(("%s bench/report.lua '%s'"):format(os.getenv "MP_LUA" or "lua5.4", o.output))
os.exit(count.failed == 0 and told == true, true)
