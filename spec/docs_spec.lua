-- Every block of Lua in the documentation is a program that runs.
local helper = require "spec.helper"
local lfs = require "lfs"

local within <const> = helper.within

local function pages()
  local list = { "README.md" }
  for name in lfs.dir "docs" do
    if name:match "%.md$" then
      list[#list + 1] = "docs/" .. name
    end
  end
  table.sort(list)
  return list
end

describe("the documentation's code", function()
  for _, page in ipairs(pages()) do
    local n = 0
    for block in helper.read_file(page):gmatch "```lua\n(.-)```" do
      n = n + 1
      it(("in %s, block %d, runs"):format(page, n), within(60, function()
        local r <const> = helper.run_lua(block .. "\n", { timeout = 30 })
        assert.equal("", r.err)
        assert.equal(0, r.code)
      end))
    end
  end
end)
