-- Reads docs/reference/source/*.lua: the interface of mp as annotations that
-- editors know (LuaCATS), from which everything else is made.
--
-- A file is a page. A block is a run of lines that begin with `---`, and the
-- line of Lua behind it, if there is one. The first block is the page's title
-- and introduction. What the blocks say becomes a table:
--
--   { text =, class =, bases =, alias =, fields =, params =, returns =, generics =,
--     overloads =, owner =, name =, method =, arguments =, lines = }
local model = {}

model.folder = "docs/reference/source/"

-- In reading order.
model.pages = {
  "module", "process", "pool", "result", "error", "queue", "pipe", "locks", "waiting", "values",
  "memory", "tables", "manager", "logging",
}

-- A type, which may hold spaces inside brackets and around `|`, and the rest.
local function split_type(s)
  local depth, i = 0, 1
  while i <= #s do
    local c = s:sub(i, i)
    if c:find "[%(%[{<]" then
      depth = depth + 1
    elseif c:find "[%)%]}>]" then
      depth = depth - 1
    elseif c == '"' then
      i = s:find('"', i + 1, true)
    elseif c == " " and depth == 0 and s:sub(i - 1, i - 1) ~= ":" then
      break
    end
    i = i + 1
  end
  return s:sub(1, i - 1), s:sub(i + 1)
end

local read = {}

function read.class(block, rest)
  block.class, block.bases = rest:match "^([%w_.]+)[^:]-%s*:?%s*([%w_., ]*)$"
end

function read.alias(block, rest)
  block.alias = rest:match "^[%w_.]+"
  block.alias_type = rest:match "^[%w_.]+%s+(.*)$"
end

function read.field(block, rest)
  local name, more = rest:match "^(%S+) (.*)$"
  local kind, text = split_type(more)
  table.insert(block.fields, {
    name = name:match "^[^?]+", optional = name:find "%?$" ~= nil, type = kind, text = text,
  })
end

function read.param(block, rest)
  local name, more = rest:match "^(%S+) (.*)$"
  local kind, text = split_type(more)
  table.insert(block.params, {
    name = name:match "^[^?]+", optional = name:find "%?$" ~= nil, type = kind, text = text,
  })
end

read["return"] = function(block, rest)
  local kind, text = split_type(rest)
  table.insert(block.returns, { type = kind, text = text })
end

function read.overload(block, rest)
  table.insert(block.overloads, rest)
end

function read.generic() end
function read.operator() end
function read.meta() end

local function new_block()
  return { text = {}, fields = {}, params = {}, returns = {}, overloads = {}, lines = {} }
end

-- The line of Lua that a block describes.
local function declare(block, line)
  local owner, sign, name, arguments = line:match "^function ([%w_.]+)([.:])([%w_]+)%((.-)%) end$"
  if owner then
    block.owner, block.method, block.name, block.arguments = owner, sign == ":", name, arguments
    return
  end
  block.variable = line:match "^local ([%w_]+) = {}$" or line:match "^([%w_]+%.[%w_]+) = {}$"
  assert(block.variable, "not understood: " .. line)
end

--- The blocks of a page, the first of which is its head.
function model.read_page(name)
  local blocks, block = {}, nil
  local path = model.folder .. name .. ".lua"
  for line in io.lines(path) do
    local text = line:match "^%-%-%-(.*)$"
    if text then
      block = block or new_block()
      block.lines[#block.lines + 1] = line
      local tag, rest = text:match "^@(%l+)%s*(.*)$"
      if tag then
        local f = read[tag] or error(("%s: unknown @%s"):format(path, tag))
        f(block, rest)
      else
        table.insert(block.text, (text:gsub("^ ", "")))
      end
    elseif block then
      if line ~= "" then
        block.lines[#block.lines + 1] = line
        declare(block, line)
      end
      blocks[#blocks + 1] = block
      block = nil
    end
  end
  blocks[#blocks + 1] = block
  for _, b in ipairs(blocks) do
    b.text = table.concat(b.text, "\n")
  end
  return { name = name, title = blocks[1].text:match "^# ([^\n]+)", blocks = blocks }
end

--- All pages, and by the names of classes what they have:
--   { bases = {names}, members = {name → block or field}, options = whether the
--     class describes a table that users write }
function model.read()
  local pages, classes, by_variable = {}, {}, {}
  for i, name in ipairs(model.pages) do
    pages[i] = model.read_page(name)
    for _, block in ipairs(pages[i].blocks) do
      if block.class then
        local class = { bases = {}, members = {}, fields = {} }
        for base in block.bases:gmatch "[%w_.]+" do
          table.insert(class.bases, base)
        end
        for _, field in ipairs(block.fields) do
          class.members[field.name], class.fields[field.name] = field, field
        end
        classes[block.class] = class
        if block.variable then
          by_variable[block.variable] = class
        end
      elseif block.owner then
        local class = by_variable[block.owner] or error("no class for " .. block.owner)
        class.members[block.name] = block
      end
    end
  end
  return pages, classes
end

return model
