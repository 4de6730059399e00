-- The benchmark itself: that it runs, and says the right thing about numbers.
-- No number measured here is looked at.
local helper = require "spec.helper"
local json = require "bench.lib.json"
local judge = require "bench.lib.judge"
local rows = require "bench.lib.rows"
local show = require "bench.lib.show"
local within <const> = helper.within

local lua <const> = os.getenv "MP_LUA" or "lua5.4"

-- Runs a Lua script of ours; returns its exit code and what it wrote.
local function run(words)
  local pipe <const> = assert(io.popen(lua .. " " .. words .. " 2>&1"))
  local text <const> = pipe:read("a")
  local _, _, code = pipe:close()
  return code, text
end

describe("bench.lib.json", function()
  it("reads what it writes", function()
    local value <const> = {
      text = 'a "b"\\c\n\t\1µ', list = { 1, 2.5, true }, empty = {},
      inner = { x = false, y = 1e-9 },
    }
    assert.same(value, json.decode(json.encode(value)))
  end)

  it("refuses what is cut off", function()
    for _, text in ipairs { '{"a":1', '"abc', "[1,", "{", "" } do
      assert.has_error(function()
        json.decode(text)
      end)
    end
  end)
end)

describe("bench.lib.judge", function()
  local less <const> = {
    unit = "µs", scale = 1e-6, target = 2, speed = { cpython = 60, floor = 0.1 },
  }
  local more <const> = {
    unit = "M/s", scale = 1e6, more = true, target = 4, speed = { cpython = 0.4, floor = 16 },
  }

  it("asks for the ratios the target had when it was chosen", function()
    local v <const> = judge.verdict(less, { mp = 1e-6, cpython = 60e-6, floor = 0.1e-6 })
    assert.near(30, v.need.cpython, 1e-9)
    assert.near(60, v.ratio.cpython, 1e-9)
    assert.near(0.05, v.need.floor, 1e-9)
    assert.near(0.1, v.ratio.floor, 1e-9)
    assert.equal("yes", v.met)
  end)

  it("scales the target with the machine's speed", function()
    assert.equal("yes", judge.verdict(less, { mp = 3e-6, cpython = 120e-6, floor = 0.2e-6 }).met)
    assert.equal("no", judge.verdict(less, { mp = 2e-6, cpython = 30e-6, floor = 0.05e-6 }).met)
  end)

  it("says when only one peer is beaten as asked", function()
    assert.equal("against cpython",
      judge.verdict(more, { mp = 4e6, cpython = 0.3e6, floor = 20e6 }).met)
    assert.equal("against floor",
      judge.verdict(more, { mp = 4e6, cpython = 0.5e6, floor = 12e6 }).met)
  end)

  it("compares with a side where the target is a factor of it", function()
    local row <const> = { unit = "ms", scale = 1e-3, against = { "lua", 1.4 }, speed = {} }
    assert.equal("yes", judge.verdict(row, { mp = 1.3, lua = 1, cpython = 0.1 }).met)
    assert.equal("no", judge.verdict(row, { mp = 1.5, lua = 1, cpython = 9 }).met)
  end)

  it("takes an absolute target as it is", function()
    local row <const> = {
      unit = "KB", scale = 1e3, target = 300, against = { "target" }, speed = { cpython = 3600 },
    }
    assert.equal("yes", judge.verdict(row, { mp = 299e3, cpython = 1 }).met)
    assert.equal("no", judge.verdict(row, { mp = 301e3, cpython = 1e9 }).met)
  end)

  it("has no verdict without a measurement", function()
    assert.is_nil(judge.verdict(less, { cpython = 60e-6 }).met)
  end)

  it("divides the highest cost by that of the smallest size", function()
    local medians <const>, value <const> = judge.points {
      { [10] = 2.0, [100] = 3.0, [1000] = 1.0 },
      { [10] = 2.0, [100] = 5.0, [1000] = 1.0 },
      { [10] = 8.0, [100] = 4.0, [1000] = 1.0 },
    }
    assert.same({ [10] = 2.0, [100] = 4.0, [1000] = 1.0 }, medians)
    assert.equal(2.0, value)
  end)
end)

describe("bench.lib.show", function()
  it("shows three digits that matter", function()
    local shown = {}
    for i, x in ipairs { 12345, 123.4, 12.34, 1.234, 0.1234, 0.01234, 0 } do
      shown[i] = show.number(x)
    end
    assert.same({ "12345", "123", "12.3", "1.23", "0.123", "0.0123", "0" }, shown)
  end)
end)

describe("bench.lib.rows", function()
  it("are found by the beginning of their ids", function()
    assert.equal(#rows.of("sync"), #rows.select { "sync" })
    assert.equal(1, #rows.select { "queue.one_to_one", "queue.one" })
    assert.equal(1, #rows.select { "process.fork" }, "an id is itself only")
    local none <const>, prefix <const> = rows.select { "sync", "nosuch" }
    assert.is_nil(none)
    assert.equal("nosuch", prefix)
  end)

  it("are all known to the other sides", function()
    local python, floor = {}, {}
    for _, group in ipairs(rows.groups) do
      python[group] = helper.read_file("bench/python/rows_" .. group .. ".py")
      floor[group] = helper.read_file("bench/floor/" .. group .. ".c") or ""
    end
    for _, row in ipairs(rows.all()) do
      local name <const> = row.id:match("%.(.*)")
      local there <const> = python[row.group]:find("\ndef " .. name .. "%(")
        or python[row.group]:find("\n" .. name .. " = ")
      assert.equal(row.python, there ~= nil, row.id .. " in Python")
      assert.equal(row.floor, floor[row.group]:find(('{"%s",'):format(name), 1, true) ~= nil,
        row.id .. " as a C floor")
    end
  end)
end)

describe("bench/run.lua", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("refuses what it does not know", within(20, function()
    local code, text = run("bench/run.lua nosuch")
    assert.equal(2, code)
    assert.matches("no row begins with 'nosuch'", text)
    code, text = run("bench/run.lua --nosuch")
    assert.equal(2, code)
    assert.matches("no such option: %-%-nosuch", text)
    assert.equal(2, (run("bench/run.lua --rounds 0")))
    assert.equal(2, (run("bench/run.lua --sides mp,nosuch")))
  end))

  it("measures, and bench/report.lua makes a page and pictures of it", within(60, function()
    local dir <const> = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
    local code <const>, text <const> = run(("bench/run.lua --rounds 2 --sides mp,floor"
      .. " --output %s/r codec.encode_integer sync.lock"):format(dir))
    assert.equal(0, code, text)
    local records = {}
    for line in io.lines(dir .. "/r") do
      records[#records + 1] = json.decode(line)
    end
    assert.equal(3, #records)
    assert.is_string(records[1].cpu)
    assert.equal("codec.encode_integer", records[2].row)
    assert.equal("not asked for", records[2].absent.cpython)
    assert.is_true(records[3].medians.floor > 0)
    assert.equal(2, #records[3].rounds.floor)

    local _, told = run(("bench/report.lua %s/r --to %s"):format(dir, dir))
    assert.matches("lock acquire %+ release", helper.read_file(dir .. "/benchmarks.md"), nil, told)
    for _, name in ipairs { "ratio", "all", "speedup" } do
      assert.matches("^<svg .*</svg>\n$", helper.read_file(dir .. "/benchmarks/" .. name .. ".svg"))
    end
    os.execute("rm -r " .. dir)
  end))
end)
