-- Makes the pages of docs/reference and the editor's types, library/mp.lua, of
-- docs/reference/source/*.lua:
--   lua5.4 tools/reference/write.lua            writes what has changed
--   lua5.4 tools/reference/write.lua --check    says what would, and fails
-- Run from the repository's root, by ./dev docs.
package.path = "./?.lua;" .. package.path

local model = require "tools.reference.model"

local function paragraph(text)
  return text ~= "" and text .. "\n" or nil
end

-- In a cell of a table.
local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function code(text)
  return "`" .. text .. "`"
end

-- queue:put(value [, timeout])
local function signature(block)
  local optional = {}
  for _, p in ipairs(block.params) do
    optional[p.name] = p.optional or p.name == "..." and false
  end
  local out, open = "", 0
  for name in block.arguments:gmatch "[^, ]+" do
    if optional[name] then
      out = out .. (out == "" and "[" or " [, ") .. name
      open = open + 1
    else
      out = out .. (out == "" and "" or ", ") .. name
    end
  end
  return ("%s%s%s(%s%s)"):format(
    block.owner, block.method and ":" or ".", block.name, out, ("]"):rep(open))
end

local function results(block)
  local parts = {}
  for i, r in ipairs(block.returns) do
    local kind, name = code(r.type), r.text:match "^%S+$"
    parts[i] = r.text == "" and kind or name and kind .. " " .. name or kind .. " " .. r.text
  end
  return #parts > 0 and "Returns " .. table.concat(parts, ", ") .. ".\n" or nil
end

local function table_of(what, list)
  if #list == 0 then
    return nil
  end
  local lines = { ("| %s | type | |"):format(what), "|---|---|---|" }
  for _, item in ipairs(list) do
    lines[#lines + 1] = ("| %s | %s | %s |"):format(
      code(item.name), cell(code(item.type .. (item.optional and "?" or ""))), cell(item.text))
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The parameters that the text does not make plain: those that say something.
local function told(params)
  local list = {}
  for _, p in ipairs(params) do
    if p.text ~= "" then
      list[#list + 1] = p
    end
  end
  return list
end

local function page_text(page)
  local out = {}
  local function add(text)
    if text then
      out[#out + 1] = text
    end
  end
  add(("<!-- Made of source/%s.lua by ./dev docs; do not edit. -->\n"):format(page.name))
  for i, block in ipairs(page.blocks) do
    if i == 1 then
      add(paragraph(block.text))
    elseif block.class then
      add("## " .. block.class .. "\n")
      if block.bases ~= "" then
        add(("All of %s, and:\n"):format(code(block.bases)))
      end
      add(paragraph(block.text))
      add(table_of("field", block.fields))
    elseif block.alias then
      add("## " .. block.alias .. "\n")
      add(paragraph(block.text))
      if block.alias_type then
        add(code(block.alias_type) .. "\n")
      end
    elseif block.owner then
      add("### " .. code(signature(block)) .. "\n")
      add(paragraph(block.text))
      add(table_of("argument", told(block.params)))
      add(results(block))
    else
      add(paragraph(block.text))
    end
  end
  return table.concat(out, "\n")
end

local function types_text(pages)
  local out = {
    "---@meta mp",
    "-- The types of mp for editors (LuaLS and others that know LuaCATS).",
    "-- Made of docs/reference/source by ./dev docs; do not edit.",
    "",
  }
  for _, page in ipairs(pages) do
    for i, block in ipairs(page.blocks) do
      if i > 1 and (block.class or block.alias or block.owner) then
        out[#out + 1] = table.concat(block.lines, "\n") .. "\n"
      end
    end
  end
  out[#out + 1] = "return mp\n"
  return table.concat(out, "\n")
end

local function index_text(pages)
  local lines = {
    "<!-- Made by ./dev docs; do not edit. -->\n",
    "# Reference\n",
    "Everything public, by page. `library/mp.lua` is the same for editors; both are made of",
    "[source/](source). A name with `?` may be nil; `[, x]` may be left out.\n",
  }
  for _, page in ipairs(pages) do
    local names = {}
    for _, block in ipairs(page.blocks) do
      if block.owner == "mp" then
        names[#names + 1] = code("mp." .. block.name)
      end
    end
    lines[#lines + 1] = ("- [%s](%s.md)%s"):format(
      page.title, page.name, #names > 0 and ": " .. table.concat(names, " ") or "")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function read_file(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

local check = arg[1] == "--check"
local different = false

local function put(path, text)
  if read_file(path) == text then
    return
  elseif check then
    io.stderr:write(path, " is not what ./dev docs makes of docs/reference/source\n")
    different = true
  else
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
    print("wrote " .. path)
  end
end

local pages = model.read()
for _, page in ipairs(pages) do
  put(("docs/reference/%s.md"):format(page.name), page_text(page))
end
put("docs/reference/README.md", index_text(pages))
put("library/mp.lua", types_text(pages))
os.exit(not different, true)
