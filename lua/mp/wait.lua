--- mp.wait: for the first of many things. What the runtime knows is waited for
-- in C; results of pools are settled here, and their pools looked after.

local blame = require "mp.blame"
local core = require "mp.core"
local Result = require "mp.result"

local SLICE <const> = 0.05

-- The elements that are ready now, in the order of the list, each once.
local function ready_of(list, settled, others)
  local is_ready, found, seen = {}, {}, {}
  for _, object in ipairs(#others > 0 and core.wait(others, 0) or {}) do
    is_ready[object] = true
  end
  for _, object in ipairs(list) do
    if (settled[object] or is_ready[object]) and not seen[object] then
      seen[object] = true
      found[#found + 1] = object
    end
  end
  return found
end

local function wait_for_results(list, timeout)
  local deadline = Result.deadline_of(timeout, "wait", 2)
  while true do
    local settled, others, objects, pools = {}, {}, {}, {}
    local any = false
    for i, object in ipairs(list) do
      if core.type(object) == "AsyncResult" then
        local job = object.state == nil and object:watched()
        if job then
          job:look() -- what comes from now on is news
        end
        if object:check() then
          settled[object], any = true, true
        else
          objects[i] = object:watched()
          pools[object.pool] = true
        end
      else
        objects[i] = object
        others[#others + 1] = object
      end
    end
    local found = ready_of(list, settled, others)
    if any or #found > 0 then
      return found
    end
    local left = deadline and deadline - core.time() or SLICE
    if left <= 0 then
      return {}
    end
    core.wait(objects, math.min(left, SLICE))
    for pool in pairs(pools) do
      pool:attend(core.time())
    end
  end
end

--- Waits for the first of many: the list of those that are ready, the very
-- objects that were given; {} when time runs out.
local function wait(list, timeout)
  if type(list) == "table" then
    for _, object in ipairs(list) do
      if core.type(object) == "AsyncResult" then
        return blame.call("wait", wait_for_results, list, timeout)
      end
    end
  end
  return blame.call("wait", core.wait, list, timeout)
end

return { wait = wait }
