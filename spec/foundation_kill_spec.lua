-- time limit: 600 s
--
-- kill -9 at random instants of processes that make objects and exchange
-- messages. MP_ROUNDS sets how many (CI runs the default).
local helper = require "spec.helper"
local mp = require "mp"
local core = require "mp.core"

local within <const> = helper.within
local ROUNDS <const> = tonumber(os.getenv "MP_ROUNDS") or 400

-- Sends numbered messages of many sizes, some with ends of fresh pipes.
local function chatter(conn, seed)
  math.randomseed(seed)
  for i = 1, math.maxinteger do
    local kind = math.random(10)
    local message = { i = i }
    if kind == 1 then
      message.pad = ("x"):rep(math.random(200000))
    elseif kind <= 3 then
      local a, b = mp.Pipe()
      message.conn = b
      a:send(i)
      a:close()
      conn:send(message)
      b:close()
      goto continue
    else
      message.pad = ("y"):rep(math.random(300))
    end
    conn:send(message)
    ::continue::
  end
end

-- Whole, and in order.
local function check(message, last)
  assert(message.i == last + 1, "a message is missing or double")
  if message.conn then
    assert(message.conn:recv(5) == message.i)
    message.conn:close()
  else
    assert(#message.pad == select(2, message.pad:gsub("[xy]", "")))
  end
  return message.i
end

describe("kill -9 at random instants", function()
  before_each(helper.baseline)
  after_each(function()
    assert.equal(0, core.check())
    helper.leaks()
  end)

  it("of a sender: the receiver gets whole messages, then the end", within(500, function()
    local seed <const> = helper.seed()
    for round = 1, ROUNDS do
      local a, b = mp.Pipe(false)
      local p = mp.spawn(chatter, b, seed + round)
      b:close()
      local last, limit = 0, math.random(0, 30)
      while last < limit do
        last = check(a:recv(10), last)
      end
      p:kill()
      if round % 10 ~= 0 then
        p:join() -- else it is for the sleeper to notice
      end
      while true do
        local message, err = a:recv(10)
        if err then
          assert.equal("closed", err)
          break
        end
        last = check(message, last)
      end
      p:join()
      assert.equal(-9, p.exitcode)
      a:close()
    end
  end))

  it("of one of two receivers: the other goes on", within(500, function()
    local seed <const> = helper.seed()
    for round = 1, ROUNDS // 4 do
      local a, b = mp.Pipe(false)
      local victim = mp.spawn(function()
        b:close()
        while true do
          local m = a:recv()
          if m.conn then
            m.conn:recv(0)
          end
        end
      end)
      local p = mp.spawn(chatter, b, seed + round)
      b:close()
      for i = 1, 20 do
        local m, err = a:recv(10)
        assert(m, err)
        if i == 10 then
          victim:kill()
        end
      end
      p:kill()
      p:join()
      while a:recv(10) do end
      victim:join()
      p:join()
      a:close()
    end
  end))

  it("of processes that only make and drop objects", within(500, function()
    helper.seed()
    for _ = 1, ROUNDS // 4 do
      local list = {}
      for i = 1, 4 do
        list[i] = mp.spawn(function()
          while true do
            local kept = {}
            for k = 1, 20 do
              kept[k] = { mp.Pipe() }
              kept[k][1]:send { kept[k - 1] and kept[k - 1][2], ("z"):rep(k * 1000) }
            end
            for k = 1, 20 do
              kept[k][1]:close()
            end
          end
        end)
      end
      mp.sleep(math.random() * 0.005)
      for _, p in ipairs(list) do
        p:kill()
      end
      for _, p in ipairs(list) do
        assert.is_true(p:join(10))
      end
      assert.equal(0, core.check())
    end
  end))
end)

describe("without /dev/shm", function()
  local function run(prepare)
    local path <const> = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
      local mp = require "mp"
      local a, b = mp.Pipe()
      mp.spawn(function() b:send(("x"):rep(100 << 20)) end):join()
      print(#a:recv())
    ]]
    file:close()
    local lua <const> = os.getenv "MP_LUA" or "lua5.4"
    local command <const> = ("unshare -m sh -c '%s && exec timeout 30 %s %s' 2>&1")
    local pipe <close> = io.popen(command:format(prepare, lua, path))
    local out = pipe:read "a"
    os.remove(path)
    if out:match "unshare" or out:match "mount" then
      pending("no right to make a mount namespace here")
    end
    return out
  end

  it("everything works the same", within(60, function()
    assert.equal("104857600\n", run "umount -l /dev/shm")
  end))

  it("and with one of 64 MB", within(60, function()
    assert.equal("104857600\n", run "mount -t tmpfs -o size=64m tmpfs /dev/shm")
  end))
end)
