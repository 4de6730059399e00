-- What the numbers were measured on.
local function output_of(command)
  local pipe <close> = assert(io.popen(command .. " 2>/dev/null"))
  return (pipe:read("a"):gsub("%s+$", ""))
end

local function read(path)
  local file <close> = io.open(path)
  return file and file:read("a") or ""
end

local function mp_version()
  local ok <const>, mp <const> = pcall(require, "mp")
  return ok and mp._VERSION or "mp (not there)"
end

local function load_average()
  return read("/proc/loadavg"):match("^%S+") or "unknown"
end

-- A table for the first line of the results.
return function(sides)
  return {
    date = os.date("!%Y-%m-%d %H:%M UTC"),
    cpu = read("/proc/cpuinfo"):match("model name%s*:%s*([^\n]*)") or output_of("uname -m"),
    cpus = sides.cpus,
    memory_mb = (tonumber(read("/proc/meminfo"):match("MemTotal:%s*(%d+)")) or 0) // 1024,
    kernel = output_of("uname -sr"),
    system = read("/etc/os-release"):match('PRETTY_NAME="([^"]*)"') or "unknown",
    load = load_average(),
    mp = mp_version(),
    commit = output_of("git rev-parse --short HEAD"),
    lua = output_of(("%s -v"):format(sides.lua)):match("^Lua [%d.]+") or _VERSION,
    cpython = sides.python and output_of(sides.python .. " --version") or "no python3",
  }
end
