-- Kill -9 of a manager's process and of its clients, at random: calls that are
-- pending raise within a second, nothing is left.
-- time limit: 300 s
local helper = require "spec.helper"
local core = require "mp.core"
local mp = require "mp"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_MANAGER_KILLS") or 12

local Store = {}
Store.__index = Store

function Store.new()
  return setmetatable({ n = 0 }, Store)
end

function Store:add(k)
  self.n = self.n + k
  return self.n
end

function Store.get(_, q)
  return q:get()
end

function Store.child()
  return Store.new()
end

-- Calls until the manager is lost: how long the last call took, and the kind of
-- its error.
local function call_until_lost(f)
  local from
  local ok, err
  repeat
    from = mp.time()
    ok, err = pcall(f)
  until not ok
  return mp.time() - from, err.kind
end

-- How many objects and things for agents the manager's process has.
local function count(m)
  return require("mp.proxy").ask(require("mp.manager").hub(m), "count")
end

local function pause(most)
  mp.sleep(math.random() * most)
end

describe("kills of a manager", function()
  before_each(function()
    helper.seed()
    helper.baseline()
  end)
  after_each(function()
    collectgarbage()
    collectgarbage()
    helper.leaks()
  end)

  -- ways to the manager: what gives a client its store and its queue
  local ways <const> = {
    {
      name = "by proxies of the family",
      make = function()
        local m = mp.Manager()
        m:register("Store", Store)
        local store, q = m:Store(), m:Queue()
        return m, function() return store, q end
      end,
    },
    {
      name = "over a socket",
      make = function()
        local path = os.tmpname()
        os.remove(path)
        local m = assert(mp.Manager { address = path })
        m:register("Store", Store)
        return m, function()
          local r = assert(mp.Manager.connect(path))
          return r:Store(), r:Queue()
        end
      end,
    },
  }

  for _, way in ipairs(ways) do
    it("raise 'lost' in all clients soon, " .. way.name, within(200, function()
      for _ = 1, ROUNDS do
        local m <close>, reach = way.make()
        local ready <close> = mp.Semaphore(0)
        local list = {}
        for i = 1, 4 do
          list[i] = mp.get_context("fork").spawn(function()
            local store, q = reach()
            store:add(0)
            ready:release()
            if i % 2 == 0 then
              return call_until_lost(function() store:add(1) end)
            end
            -- a call that waits in the manager's process, or in the agent
            local ok, err = pcall(function()
              return i == 1 and way.name:find "family" and store:get(q) or q:get()
            end)
            return 0, not ok and err.kind
          end)
        end
        -- a queue of the family outlives the manager: its getter is let go
        for _ = 1, 4 do
          assert.is_true(ready:acquire(20))
        end
        pause(0.05)
        assert(core.kill(m.pid, 9))
        local from = helper.now()
        for i, p in ipairs(list) do
          if i == 3 and way.name:find "family" then
            p:kill()
            p:join()
          else
            local seconds, kind = p:result(20)
            assert.equal("lost", kind)
            assert.is_true(seconds < 1, "a call took " .. tostring(seconds) .. " s")
          end
          p:close()
        end
        assert.is_true(helper.now() - from < 5)
      end
    end))

    it("of its clients leave nothing there, " .. way.name, within(200, function()
      local m <close>, reach = way.make()
      local mine, queue = reach()
      assert.equal(0, mine:add(0))
      local before = count(m)
      for _ = 1, ROUNDS do
        local list = {}
        for i = 1, 4 do
          list[i] = mp.get_context("fork").spawn(function()
            local store, q = reach()
            while true do
              mine:add(1)
              q:put(store:add(1))
              if i == 1 then
                local other = reach()
                other:add(1)
              end
              q:get(0)
            end
          end)
        end
        for _, p in ipairs(list) do
          pause(0.05)
          p:kill()
          p:join()
          p:close()
        end
        assert.is_true(mine:add(0) >= 0)
      end
      while queue:get(0) do end -- luacheck: ignore 542
      helper.eventually(20, function()
        return count(m) <= before
      end)
    end))
  end
end)
