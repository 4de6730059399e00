-- time limit: 600 s
--
-- Every example says in its first comment what it prints; here each is run,
-- those of the documents under every start method, and compared.
local helper = require "spec.helper"
local lfs = require "lfs"

local within <const> = helper.within

local function files(folder)
  local list = {}
  for name in lfs.dir(folder) do
    if name:match "%.lua$" then
      list[#list + 1] = folder .. "/" .. name
    end
  end
  table.sort(list)
  return list
end

-- The lines of the comment's "Expected output", and whether their order counts.
local function expectation(path)
  local lines, any_order
  for line in io.lines(path) do
    if not line:match "^%-%-" then
      break
    end
    if line:match "^%-%- Expected output" then
      lines, any_order = {}, line:match "in any order" ~= nil
    elseif lines and line:match "^%-%-   " then
      lines[#lines + 1] = line:sub(6)
    elseif lines then
      break
    end
  end
  return lines, any_order
end

-- In an expected line … stands for anything.
local function pattern(line)
  return "^" .. line:gsub("%p", "%%%0"):gsub("…", ".*") .. "$"
end

local function compare(lines, any_order, out)
  local got = {}
  for line in out:gmatch "([^\n]*)\n" do
    got[#got + 1] = line
  end
  assert.equal(#lines, #got, "another number of lines:\n" .. out)
  for i, line in ipairs(lines) do
    local found
    for k = any_order and 1 or i, any_order and #got or i do
      if got[k] and got[k]:match(pattern(line)) then
        got[k] = false
        found = true
        break
      end
    end
    assert(found, ("no line %q (line %d) in:\n%s"):format(line, i, out))
  end
end

local function run(path, method)
  local lines, any_order = expectation(path)
  local code <const> = ("require 'mp'.set_start_method(%q, true) dofile(%q)"):format(method, path)
  local r = helper.run_lua(code, { timeout = 60 })
  assert.equal("", r.err)
  assert.equal(0, r.code)
  compare(assert(lines, path .. " does not say what it prints"), any_order, r.out)
end

describe("the documents' example", function()
  for _, path in ipairs(files "examples/documents") do
    local name <const> = path:match "([^/]+)%.lua$"
    it(name .. " prints what it says, under every start method", within(200, function()
      for _, method in ipairs { "fork", "forkserver", "spawn" } do
        run(path, method)
      end
    end))
  end
end)

describe("the example", function()
  local METHODS <const> = { "fork", "forkserver", "spawn" }

  -- What it prints with those arguments, which is the same under every method,
  -- but for the line that says how long it took.
  local function output_of(path, ...)
    local first
    for _, method in ipairs(METHODS) do
      local r = helper.run_lua(
        ("require 'mp'.set_start_method(%q, true) dofile(%q)"):format(method, path),
        { timeout = 60, args = { ... } }
      )
      assert.equal("", r.err)
      assert.equal(0, r.code)
      local text, times = r.out:gsub("loop [%d.]+ s, pool [%d.]+ s: [%d.]+ times faster\n", "")
      assert.equal(1, times)
      assert.equal(first or text, text)
      first = text
    end
    return first
  end

  it("pool_map prints what it says, under every start method", within(60, function()
    for _, method in ipairs(METHODS) do
      run("examples/pool_map.lua", method)
    end
  end))

  it("mandelbrot draws the same in a pool as in a loop", within(60, function()
    local rows = {}
    for line in output_of("examples/mandelbrot.lua", 30):gmatch "[^\n]+" do
      assert.equal(30, #line)
      rows[#rows + 1] = line
    end
    assert.equal(10, #rows)
    for i = 1, 5 do -- it is symmetrical
      assert.equal(rows[i], rows[11 - i])
    end
    assert.matches("#########", rows[5])
  end))

  it("word_count counts each word once, wherever a part of the file ends", within(60, function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write("begin ", ("Fox dog\nfox "):rep(200000), "end") -- 2.4 MB
    file:close()
    local words = {}
    for n, word in output_of("examples/word_count.lua", path, 4):gmatch "(%d+)%s+(%a+)" do
      words[word] = math.tointeger(tonumber(n))
    end
    os.remove(path)
    assert.same({ fox = 400000, dog = 200000, begin = 1, ["end"] = 1 }, words)
  end))
end)
