-- Runs one side of a row once, in a process of its own.
local sides = {}

-- In the order in which they take turns.
sides.names = { "mp", "cpython", "floor", "lua" }

sides.titles = { mp = "mp", cpython = "CPython", floor = "C floor", lua = "Lua floor" }

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function output_of(command)
  local pipe <close> = assert(io.popen(command .. " 2>/dev/null"))
  local text <const> = pipe:read("a"):gsub("%s+$", "")
  return text ~= "" and text or nil
end

-- What this machine has: the interpreter, CPython if any (the distribution's
-- own first: it is built with every optimisation), the floors.
function sides.open()
  local build <const> = os.getenv "MP_BUILD" or "build/release"
  local self = {
    lua = os.getenv "MP_LUA" or arg[-1] or "lua5.4",
    floors = build .. "/bench/",
    errors = os.tmpname(),
  }
  local candidates <const> = { os.getenv "MP_PYTHON" or "/usr/bin/python3", "python3" }
  for i = 1, os.getenv "MP_PYTHON" and 1 or 2 do
    self.python = self.python
      or output_of(quote(candidates[i]) .. " -c 'import sys; print(sys.executable)'")
  end
  local affinity <const> = output_of("taskset -c -p $$") or ""
  self.first_cpu = affinity:match("(%d+)[%d,-]*$") or "0"
  self.cpus = tonumber(output_of("nproc")) or 1
  -- Also for those who are started by the sides.
  self.environment = ("LUA_PATH%s=%s LUA_CPATH%s=%s MP_LUA=%s"):format(
    _VERSION:gsub("Lua (%d+)%.(%d+)", "_%1_%2"), quote(package.path),
    _VERSION:gsub("Lua (%d+)%.(%d+)", "_%1_%2"),
    quote(self.floors .. "?.so;" .. package.cpath), quote(self.lua))
  return setmetatable(self, {
    __index = sides,
    __close = function()
      os.remove(self.errors)
    end,
  })
end

local commands <const> = {
  mp = function(self, row)
    return quote(self.lua) .. " bench/lib/mp_side.lua " .. row.id
  end,
  cpython = function(self, row)
    return quote(self.python) .. " bench/python/side.py " .. row.id
  end,
  floor = function(self, row)
    return ("%sfloor_%s %s"):format(quote(self.floors), row.group, row.id:match("%.(.*)"))
  end,
  lua = function(self, row)
    return quote(self.lua) .. " bench/lib/lua_side.lua " .. row.id
  end,
}

-- Why a side of a row is not measured here, or nil.
function sides:missing(name, row)
  if self.cpus < row.cpus then
    return ("needs %d CPUs"):format(row.cpus)
  elseif name == "cpython" then
    return not row.python and "none" or not self.python and "no python3 here" or nil
  elseif name ~= "mp" then
    return not row[name] and "none" or nil
  end
end

local function first_lines(path)
  local file <close> = assert(io.open(path))
  local text <const> = file:read(2000) or ""
  return text:gsub("%s+$", "")
end

-- Runs it once. Returns a number, a table size → cost, or nil, "skip" or
-- "failed", and why.
function sides:run(name, row)
  local command <const> = ("exec env %s timeout -k 5 %d %s%s </dev/null 2>%s"):format(
    self.environment, row.limit,
    row.one_core and "taskset -c " .. self.first_cpu .. " " or "",
    commands[name](self, row), quote(self.errors))
  local pipe <const> = assert(io.popen(command))
  local value, points, skip
  for line in pipe:lines() do
    local size <const>, cost <const> = line:match("^point (%d+) (%S+)$")
    if size then
      points = points or {}
      points[math.tointeger(size)] = tonumber(cost)
    end
    value = tonumber(line:match("^value (%S+)$")) or value
    skip = line:match("^skip (.*)$") or skip
  end
  local ok <const>, how <const>, code <const> = pipe:close()
  if ok and (value or points) then
    return value or points
  elseif ok and skip then
    return nil, "skip", skip
  end
  local why <const> = code == 124 and ("not done within %d s"):format(row.limit)
    or ok and "printed no result"
    or ("%s %d"):format(how == "signal" and "signal" or "exit code", code)
  return nil, "failed", why .. "\n" .. first_lines(self.errors)
end

return sides
