-- The layer check: a folder of runtime/ includes only itself and folders above
-- it, runtime/*.c may include all of them, and lua/core only mpr.h.
--   lua5.4 tools/layers.lua [ROOT]
-- prints each violation as file:line: what, and fails if there is one.

-- From the top down; a folder that is missing here is a violation.
local order <const> = {
  "base", "os", "mem", "peer", "wait", "life", "sync", "ipc", "data", "proc", "serve",
}

local rank <const> = {}
for i, name in ipairs(order) do
  rank[name] = i
end

local root <const> = arg[1] or "."

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- "runtime/sync/../os/os.h" -> "runtime/os/os.h"
local function normal(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

-- Our own file that an include means, as the compiler looks it up; or nil.
local function resolve(file, name, quoted)
  local places = { "runtime/", "lua/core/" }
  if quoted then
    table.insert(places, 1, (file:match("^(.*/)")))
  end
  for _, place in ipairs(places) do
    local path = normal(place .. name)
    if exists(root .. "/" .. path) then
      return path
    end
  end
end

-- "runtime/sync/lock.c" -> "sync"; files directly in runtime/ -> "top".
local function folder_of(path)
  return path:match("^runtime/([^/]+)/") or path:match("^runtime/") and "top"
end

local function violation(file, target, name)
  if file:match("^lua/") then
    if target and folder_of(target) and target ~= "runtime/mpr.h" then
      return ("lua/core uses only mpr.h of the runtime, not '%s'"):format(name)
    end
    return
  end

  local from = folder_of(file)
  if from ~= "top" and not rank[from] then
    return ("folder '%s' has no place in the layers (tools/layers.lua)"):format(from)
  elseif name:match("^lua%.h") or name:match("^lauxlib%.h") or name:match("^lualib%.h") then
    return "the runtime has no Lua in it"
  elseif not target then
    return
  elseif target:match("^lua/") then
    return ("the runtime includes nothing of lua/, so not '%s'"):format(name)
  end

  local to = folder_of(target)
  if from == "top" or target == "runtime/mpr.h" then
    return
  elseif to == "top" then
    return ("'%s' includes nothing of runtime/ itself but mpr.h, so not '%s'"):format(from, name)
  elseif rank[to] and rank[to] > rank[from] then
    return ("'%s' lies above '%s', so it may not include '%s'"):format(from, to, name)
  end
end

local files = {}
do
  local find <const> = "cd '%s' && find runtime lua -name '*.[ch]' 2>/dev/null | sort"
  local list <close> = assert(io.popen(find:format((root:gsub("'", "'\\''")))))
  for file in list:lines() do
    files[#files + 1] = file
  end
end

local count = 0
for _, file in ipairs(files) do
  local number = 0
  for line in io.lines(root .. "/" .. file) do
    number = number + 1
    local open, name = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
    local why = name and violation(file, resolve(file, name, open == '"'), name)
    if why then
      print(("%s:%d: %s"):format(file, number, why))
      count = count + 1
    end
  end
end
print(("layers: %d files, %d violations"):format(#files, count))
os.exit(count == 0 and #files > 0, true)
