-- A child that comes to life after its parent was killed: its place in the family
-- was given to another meanwhile, and so was the memory that said which it was.
local core = require "mp.core"
local helper = require "spec.helper"
local mp = require "mp"
local within <const> = helper.within

local SIGSTOP <const>, SIGCONT <const> = 19, 18

local function state_of(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  return file and file:read("a"):match "%) (%a)" or "gone"
end

local function child_of(pid)
  local file <close> = io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  return file and math.tointeger(tonumber((file:read("a"):match "%d+")))
end

-- A process whose only child stopped before it did anything, and that child.
local function start_stopped(target)
  local fork <const> = mp.get_context "fork"
  core.testpoint("child.forked", 1, SIGSTOP)
  local p <const> = fork.Process { target = target }
  p:start()
  core.testpoint()
  helper.eventually(5, function() return state_of(p.pid) == "T" end)
  return p
end

describe("a child that is late", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("does not take another's place in the family", within(60, function()
    for _ = 1, 5 do
      local parent <const> = mp.get_context("fork").Process {
        target = function()
          start_stopped(function() os.exit(1) end)
          mp.sleep(100)
        end,
      }
      parent:start()
      local late
      helper.eventually(10, function()
        late = child_of(parent.pid)
        return late and state_of(late) == "T"
      end)
      parent:kill()
      parent:join()
      parent:close()
      core.sweep()
      local heir <const> = start_stopped(function() end)
      core.kill(late, SIGCONT)
      helper.eventually(10, function() return ("gone Z"):find(state_of(late), 1, true) end)
      core.kill(heir.pid, SIGCONT)
      assert(heir:join(20))
      assert.equal(0, heir.exitcode)
      heir:close()
    end
  end))

  -- Killed at every half millisecond of its server's start.
  it("fork server ends with its creator", within(60, function()
    local fork <const> = mp.get_context "fork"
    for i = 1, 30 do
      local creator <const> = fork.Process {
        target = function()
          local p = mp.get_context("forkserver").Process { target = mp.sleep, args = { 100 } }
          p.daemon = true
          p:start()
          mp.sleep(100)
        end,
      }
      creator:start()
      mp.sleep(i * 0.0005)
      creator:kill()
      creator:join()
      creator:close()
    end
    helper.eventually(10, function()
      core.sweep()
      for _, relative in ipairs(core.family()) do
        if relative.name == "mp.forkserver" and not relative.creator then
          return false
        end
      end
      return true
    end)
  end))
end)
