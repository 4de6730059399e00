-- What a test may not leave behind: processes, descriptors, names in /dev/shm,
-- objects in the arena.
local lfs = require "lfs"
local run = require "spec.helper.run"
local system = require "system"

local leaks = {}

-- Descriptors that the runtime opens once in a process, at first need: so many
-- of each may be open, whenever they came.
local own_descriptors <const> = {
  { pattern = "^/memfd:mp%-arena", most = 1 },
  { pattern = "^anon_inode:%[eventpoll%]", most = 1 },
  { pattern = "^anon_inode:%[timerfd%]", most = 1 },
  { pattern = "^anon_inode:%[eventfd%]", most = 8 },
}

local function names_in(directory)
  local names = {}
  local ok <const>, iterate, object = pcall(lfs.dir, directory)
  if ok then
    for name in iterate, object do
      if name ~= "." and name ~= ".." then
        names[name] = true
      end
    end
  end
  return names
end

-- Our children, the dead that nobody has waited for included, and whoever
-- descends from this file's process even if its parent is gone.
local function processes()
  local mark <const> = os.getenv "MP_TEST_REPORT"
  local pids = mark and run.marked("MP_TEST_REPORT=" .. mark) or {}
  for task in pairs(names_in("/proc/self/task")) do
    local children <const> = run.read_file("/proc/self/task/" .. task .. "/children")
    for pid in (children or ""):gmatch("%d+") do
      pids[math.tointeger(tonumber(pid))] = true
    end
  end
  return pids
end

local function descriptors()
  local open, own = {}, {}
  for fd in pairs(names_in("/proc/self/fd")) do
    -- The one through which the directory was read is closed by now.
    local target <const> = lfs.symlinkattributes("/proc/self/fd/" .. fd, "target")
    if target then
      local ours = false
      for _, kind in ipairs(own_descriptors) do
        own[kind] = own[kind] or 0
        if target:find(kind.pattern) and own[kind] < kind.most then
          own[kind] = own[kind] + 1
          ours = true
        end
      end
      if not ours then
        open[fd .. " -> " .. target] = true
      end
    end
  end
  return open
end

-- Objects in the arena by kind, once the binding can tell (mp.stats). Bytecode
-- is stored once for the arena's whole life.
local function objects()
  local mp <const> = package.loaded.mp
  local counts = {}
  if mp and mp.stats then
    local stats <const> = mp.stats()
    for kind, count in pairs(stats.objects or {}) do
      counts[kind] = kind ~= "code" and count or nil
    end
    counts["hold"] = stats.holds
  end
  return counts
end

local function snapshot()
  collectgarbage()
  collectgarbage()
  return {
    processes = processes(),
    descriptors = descriptors(),
    shm = names_in("/dev/shm"),
    objects = objects(),
  }
end

-- Whether a process that is not of this file's has the name in its memory: then
-- the name is that of another run on this machine. Its maker knows it by the
-- inode only.
local function is_foreign(name, ours)
  local inode <const> = lfs.symlinkattributes("/dev/shm/" .. name, "ino")
  if not inode then
    return true -- gone
  end
  local mapped <const> = (" %d +/dev/shm/"):format(inode)
  local self <const> = lfs.symlinkattributes("/proc/self", "target")
  for entry in pairs(names_in("/proc")) do
    local pid <const> = math.tointeger(tonumber(entry))
    if pid and entry ~= self and not ours[pid] then
      local maps <const> = run.read_file("/proc/" .. entry .. "/maps")
      if maps and maps:find(mapped) then
        return true
      end
    end
  end
  return false
end

local function state_of(pid)
  local stat <const> = run.read_file("/proc/" .. pid .. "/stat") or ""
  return stat:match("%((.*)%)") or "?", stat:match("%) (%u)") or "gone"
end

local function compare(before, now)
  local found = {}
  for pid in pairs(now.processes) do
    if not before.processes[pid] then
      found[#found + 1] = ("process %d (%s, state %s)"):format(pid, state_of(pid))
    end
  end
  for fd in pairs(now.descriptors) do
    if not before.descriptors[fd] then
      found[#found + 1] = "descriptor " .. fd
    end
  end
  for name in pairs(now.shm) do
    if not before.shm[name] and not is_foreign(name, now.processes) then
      found[#found + 1] = "/dev/shm/" .. name
    end
  end
  for kind, count in pairs(now.objects) do
    local more <const> = count - (before.objects[kind] or 0)
    if more > 0 then
      found[#found + 1] = ("%d of '%s' in the arena"):format(more, kind)
    end
  end
  table.sort(found)
  return found
end

local base = snapshot()

-- What is there now is allowed to be there: for before_each.
function leaks.baseline()
  base = snapshot()
end

-- A list of what is there beyond the baseline; what is on its way out gets so
-- many seconds to go.
function leaks.left(seconds)
  local deadline <const> = system.monotime() + seconds
  while true do
    local found <const> = compare(base, snapshot())
    if #found == 0 or system.monotime() > deadline then
      return found
    end
    system.sleep(0.005)
  end
end

-- Raises if something is left: for after_each.
function leaks.check()
  local found <const> = leaks.left(2)
  if #found > 0 then
    error("left behind: " .. table.concat(found, ", "), 0)
  end
end

return leaks
