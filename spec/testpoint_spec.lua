-- time limit: 300 s
-- runs alone
--
-- kill -9 at every named test point there is. Each name in the sources belongs
-- to a deed that comes by it, or is killed at by the spec named for it; a point
-- that is new, is gone, or that its deed no longer reaches fails.
local helper = require "spec.helper"
local deeds = require "spec.points.deeds"
local world = require "spec.points.world"
local core = require "mp.core"
local mp = require "mp"

local within <const> = helper.within

-- Deed -> the points it is killed at.
local BY <const> = {
  abandoned = [[
    conn.closed owner.abandoned reap.begun reap.dropped reap.freed
  ]],
  barrier = [[
    barrier.arrived barrier.broken barrier.inside barrier.passed barrier.passing
    barrier.reset barrier.resetting barrier.seated barrier.sleeping barrier.vacating
  ]],
  burial = [[
    bury.frame bury.lost desk.linking pool.made pool.shut
  ]],
  condition = [[
    condition.made condition.owning condition.queued condition.released condition.seated
    condition.sleeping condition.vacating condition.woken owner.sleeping
  ]],
  contended = [[
    owner.woken
  ]],
  dict = [[
    body.dropping body.pushed body.pushing box.ref change.removed dict.found
    list.changed list.held list.supplied shard.changed shard.detached table.blocks
    table.dropping table.scrubbed table.segment table.split whole.cleared whole.clearing
    whole.copied whole.purged
  ]],
  event = [[
    event.set event.sleeping gate.emptied
  ]],
  exec = [[
    hold.given process.exec
  ]],
  frozen = [[
    frozen.part frozen.sealing
  ]],
  large = [[
    run.backed run.cold run.discarding run.excess run.table
  ]],
  leaving = [[
    leave.dropped
  ]],
  list = [[
    list.appended list.appending list.found list.published list.removed list.taken
    list.written
  ]],
  lock = [[
    lock.releasing rlock.acquired rlock.releasing
  ]],
  log = [[
    log.write
  ]],
  memory = [[
    census.adding census.removing memory.made memory.named
  ]],
  notify = [[
    condition.notified
  ]],
  pipe = [[
    block.became block.created block.destroyed block.dying block.freed block.taken
    hold.dropped hold.dropping mutex.unlocking ref.dropped tx.changed tx.committed
    tx.counted tx.logged
  ]],
  pool = [[
    job.added job.filled job.linked job.made job.published note.filled note.made
    pool.interrupting
  ]],
  process = [[
    child.entered child.forked child.leaving hold.grown hold.inherited process.ended
    process.forked process.inherited process.made roster.entered roster.entering
    roster.leaving roster.taken roster.unborn
  ]],
  queue = [[
    message.copied message.made queue.done ring.get.committed ring.get.copied
    ring.get.dropped ring.get.opened ring.left ring.link.made ring.link.marked
    ring.linked ring.put.claimed ring.put.copied ring.put.published
  ]],
  reserved = [[
    change.put generation.even generation.odd shard.drafted shard.published
    shard.swapped shard.taken shard.written
  ]],
  seats = [[
    lock.acquired seats.chunk
  ]],
  semaphore = [[
    semaphore.back semaphore.given semaphore.seated semaphore.settled semaphore.sleeping
    semaphore.taken
  ]],
  shareable = [[
    shareable.copied shareable.locked shareable.stored
  ]],
  undone = [[
    conn.end tx.undone
  ]],
  values = [[
    array.lock array.made
  ]],
  wanted = [[
    owner.released
  ]],
  worker = [[
    desk.claim.done desk.claim.held desk.claim.moved desk.holding desk.unlocked
    worker.entering worker.give.stored worker.leaving worker.take.said worker.take.taken
  ]],
  locked_out = [[
    mutex.sleeping
  ]],
}

-- Point -> who kills there: what needs more than one process at work.
local POOL <const> = "spec/pool_kill_spec.lua"
local ELSEWHERE <const> = {
  ["desk.back.emptied"] = POOL,
  ["desk.steal.held"] = POOL,
  ["desk.steal.taken"] = POOL,
  ["desk.unlinking"] = POOL,
  ["job.reopened"] = POOL,
  ["note.chaining"] = POOL,
  ["worker.give.chunk"] = POOL,
  ["worker.give.written"] = POOL,
  ["worker.retry.open"] = POOL,
  ["log.line"] = "spec/log_spec.lua",
  ["memory.removing"] = "spec/shared_memory_spec.lua",
}

-- Nobody is killed there on purpose; ./dev chaos may come by.
local BY_CHANCE <const> = {
  ["reserve.waiting"] = "several writers of one key must lose a race again and again",
  ["run.shrinking"] = "the arena must be full",
  ["run.unbacked"] = "the arena must be full",
}

local function names_in_sources()
  local names = {}
  local find <close> = assert(io.popen "find runtime lua/core -name '*.[ch]'")
  for path in find:lines() do
    if not path:find "_test%.[ch]$" and path ~= "runtime/base/testpoint.h" then
      for name in helper.read_file(path):gmatch 'MPRI_TESTPOINT%("([^"]+)"%)' do
        names[name] = true
      end
    end
  end
  return names
end

describe("a test point", function()
  it("has a place where somebody is killed at it", function()
    local known <const> = {}
    for _, points in pairs(BY) do
      for point in points:gmatch "%S+" do
        assert.is_nil(known[point], point)
        known[point] = true
      end
    end
    for point, path in pairs(ELSEWHERE) do
      assert.is_nil(known[point], point)
      assert(helper.read_file(path):find('"' .. point .. '"', 1, true), point)
      known[point] = true
    end
    for point in pairs(BY_CHANCE) do
      assert.is_nil(known[point], point)
      known[point] = true
    end
    assert.same(names_in_sources(), known)
  end)
end)

-- Whether the process that did it was killed.
local function killed(deed, w, point, nth)
  local p <close> = mp.spawn(function()
    local x = point
    if deed.prepare then
      x = deed.prepare(w)
    end
    if not deed.unarmed then
      core.testpoint(point, nth)
    end
    if deed.act(w, x) then
      core.kill(core.getpid(), 9)
    end
  end)
  assert(p:join(30), point .. ": it waits in vain")
  assert(p.exitcode == 0 or p.exitcode == -9, point)
  return p.exitcode == -9
end

-- The same, and that all others go on.
local function struck(name, point, nth)
  local w <const> = world.make()
  local reached <const> = killed(deeds[name], w, point, nth)
  world.use(w)
  world.close(w)
  assert.equal(0, core.check(), point)
  return reached
end

describe("kill -9 of who", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  for name, points in pairs(BY) do
    it("does '" .. name .. "' is survived at each point", within(250, function()
      for point in points:gmatch "%S+" do
        struck(name, point, 3)
        local reached
        -- Some lie on the way of who comes a moment late, or early.
        for _ = 1, 50 do
          reached = struck(name, point, 1)
          if reached then
            break
          end
        end
        assert(reached, point .. " is not reached")
      end
    end))
  end
end)
