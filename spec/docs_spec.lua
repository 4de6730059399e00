-- Every block of Lua in the documentation is a program that runs, and every
-- link leads somewhere.
local helper = require "spec.helper"
local lfs = require "lfs"

local within <const> = helper.within

local function pages()
  local list = {}
  for _, folder in ipairs { "", "docs/", "docs/reference/", "examples/documents/", "models/" } do
    for name in lfs.dir(folder == "" and "." or folder) do
      if name:match "%.md$" then
        list[#list + 1] = folder .. name
      end
    end
  end
  table.sort(list)
  return list
end

-- What a page says, without its blocks of code.
local function prose(page)
  return (helper.read_file(page):gsub("```.-```", ""):gsub("`[^`\n]*`", ""))
end

-- The names that headings have in links, as GitHub makes them.
local function anchors(page)
  local found = {}
  local text <const> = helper.read_file(page):gsub("```.-```", "")
  for heading in ("\n" .. text):gmatch "\n#+ ([^\n]+)" do
    found[heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")] = true
  end
  return found
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

describe("the documentation's links", function()
  for _, page in ipairs(pages()) do
    it(("in %s lead somewhere"):format(page), function()
      local folder <const> = page:match "^(.*/)" or ""
      for target in prose(page):gmatch "%]%(([^)%s]+)%)" do
        local file <const>, anchor <const> = target:match "^([^#]*)#?(.*)$"
        if not target:match "^%l+:" then
          local path <const> = file == "" and page or folder .. file
          assert(lfs.attributes(path), ("%s: no file %s"):format(page, target))
          assert(anchor == "" or anchors(path)[anchor], ("%s: no heading %s"):format(page, target))
        end
      end
    end)
  end
end)
