--- mp.as_completed: results in the order in which they come.

local blame = require "mp.blame"
local core = require "mp.core"
local Error = require "mp.error"
local Result = require "mp.result"

-- Moves what is settled from the waiting to the ready; the rest by what each
-- waits for.
local function sort_out(waiting, ready, seen)
  local rest, jobs, pools = {}, {}, {}
  for _, result in ipairs(waiting) do
    local job = result.state == nil and result:watched()
    local progress = job and (seen[job] or job:look())
    if result:check() then
      ready[#ready + 1] = result
    else
      rest[#rest + 1] = result
      if not seen[job] then
        seen[job] = progress
        jobs[#jobs + 1] = job
      end
      pools[result.pool] = true
    end
  end
  return rest, jobs, pools
end

--- for r in mp.as_completed(results [, timeout]): each result once. Raises an
-- error of kind "timeout" when time runs out.
local function as_completed(results, timeout)
  if type(results) ~= "table" then
    blame.raise("bad argument #1 to 'as_completed' (list expected, got %s)", core.typename(results))
  end
  local waiting, known = {}, {}
  for i, result in ipairs(results) do
    if core.type(result) ~= "AsyncResult" then
      blame.raise("bad argument #1 to 'as_completed' (element %d is no AsyncResult)", i)
    end
    if not known[result] then
      known[result] = true
      waiting[#waiting + 1] = result
    end
  end
  local deadline = Result.deadline_of(timeout, "as_completed", 2)
  local total, ready, at = #waiting, {}, 0
  return function()
    while at == #ready do
      if #waiting == 0 then
        return nil
      end
      local jobs, pools
      ready, at = {}, 0
      waiting, jobs, pools = sort_out(waiting, ready, {})
      if #ready == 0 then
        if deadline and core.time() >= deadline then
          error(
            Error.new {
              kind = "timeout",
              message = ("%d (of %d) results unfinished"):format(#waiting, total),
            },
            0
          )
        end
        for pool in pairs(pools) do
          pool:attend(core.time())
        end
        next(pools):sleep_any(jobs, deadline)
      end
    end
    at = at + 1
    local result = ready[at]
    if result.listeners then
      result:announce()
    end
    return result
  end
end

return { as_completed = as_completed }
