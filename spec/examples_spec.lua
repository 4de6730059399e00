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
