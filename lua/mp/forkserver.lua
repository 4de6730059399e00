--- The fork server: a small process that forks others for its creator, who may
-- be large or have threads. It ends when its creator does, and takes the
-- creator's daemons with it.

local core = require "mp.core"

local forkserver = {}

-- true, or what is wrong with one.
local function load_modules(names)
  for _, name in ipairs(names) do
    local ok, err = pcall(require, name)
    if not ok then
      return ("module '%s': %s"):format(name, tostring(err))
    end
  end
  io.stdout:flush()
  return true
end

-- The child: nothing of the server's stays open.
local function become(handle, requests, parent, children)
  requests:close()
  if parent then
    core.close_fd(parent)
  end
  for _, child in pairs(children) do
    child:close()
  end
  local childhood = require "mp.childhood"
  local order = childhood.take_order(handle)
  rawset(_G, "arg", order.arg)
  if order.log then
    require("mp.log").take(order.log)
  end
  childhood.begin_job(handle, order)
end

-- What goes wrong again and again is said the first time, the tenth, the
-- hundredth.
local complaints, next_due = {}, {}

local function complain(what, why)
  local n = (complaints[what] or 0) + 1
  complaints[what] = n
  if n >= (next_due[what] or 1) then
    next_due[what] = n * 10
    local often = n > 1 and (" (%d times)"):format(n) or ""
    io.stderr:write("mp: the fork server cannot ", what, ": ", tostring(why), often, "\n")
  end
end

local function reap(children)
  for fd, child in pairs(children) do
    if not child:alive() then
      children[fd] = nil
      child:close()
    end
  end
end

function forkserver.serve(job)
  local requests = job.forkserver
  core.ignore_interrupt()
  require "mp" -- once, for all that are forked
  requests:send(load_modules(job.preload))
  local children = {} -- handles by sentinel
  local parent = core.parent_fd() -- nil: it was killed before we came to ask
  local asked = true -- somebody can ask
  while true do
    local list = { parent }
    if asked then
      list[#list + 1] = requests
    end
    for fd in pairs(children) do
      list[#list + 1] = fd
    end
    if parent then
      core.wait(list)
    end
    while asked and requests:poll() do
      local handle = requests:recv(0)
      if not handle then
        asked = false
        break
      end
      local child, message = handle:serve()
      if child == "child" then
        become(handle, requests, parent, children)
      elseif not child then
        complain("fork", message)
        handle:close()
      else
        local sentinel, why = handle:sentinel()
        if sentinel then
          children[sentinel] = handle
        else
          -- Nobody would see its end.
          complain("watch a child", why)
          handle:signal(core.SIGKILL)
          while handle:alive() do
            core.sleep(0.001)
          end
          handle:close()
        end
      end
    end
    reap(children)
    local _, alive = core.parent()
    if not alive then
      for _, child in pairs(children) do
        if child:daemon() then
          child:signal(core.SIGKILL)
        end
      end
      core.exit(nil, 0)
    end
    -- Its creator is done with it: nobody can ask any more, but the exit codes
    -- of those who run are still to be told.
    if not asked and next(children) == nil then
      core.exit(nil, 0)
    end
  end
end

return forkserver
