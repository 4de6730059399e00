-- Two machines: two network namespaces with a cable between them, which this
-- spec makes. Needs root and ip (iproute2).
-- runs alone
local helper = require "spec.helper"
local core = require "mp.core"

local within <const> = helper.within

local ID <const> = core.getpid()
local A <const>, B <const> = "mp-a-" .. ID, "mp-b-" .. ID

local function sh(line)
  return os.execute(line .. " 2>/dev/null")
end

local function unplug()
  sh("ip netns del " .. A)
  sh("ip netns del " .. B)
end

-- Whether there are two machines now, 10.91.0.1 and 10.91.0.2.
local function plug()
  local commands <const> = {
    "ip netns add " .. A,
    "ip netns add " .. B,
    ("ip link add mpa%d netns %s type veth peer name mpb%d netns %s"):format(ID, A, ID, B),
    ("ip -n %s addr add 10.91.0.1/24 dev mpa%d"):format(A, ID),
    ("ip -n %s addr add 10.91.0.2/24 dev mpb%d"):format(B, ID),
    ("ip -n %s link set mpa%d up"):format(A, ID),
    ("ip -n %s link set mpb%d up"):format(B, ID),
    ("ip -n %s link set lo up"):format(A),
  }
  for _, command in ipairs(commands) do
    if not sh(command) then
      unplug()
      return false
    end
  end
  return true
end

-- Runs a script on a machine: what it prints, to be read.
local function on(machine, code)
  local path <const> = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write('local mp = require "mp"\nio.stdout:setvbuf "line"\n', code)
  file:close()
  local lua <const> = os.getenv "MP_LUA" or "lua5.4"
  local pipe = io.popen(
    ("exec ip netns exec %s timeout 60 %s %s 2>&1; rm -f %s"):format(machine, lua, path, path)
  )
  return pipe, path
end

-- First in each test: busted takes no pending in a before_each.
local function need_machines()
  if not core.has_keys() then
    pending("built without libsodium")
  end
  if not plug() then
    pending("network namespaces need root and iproute2")
  end
end

describe("two machines", function()
  after_each(unplug)

  it("talk by Listener and Client", within(60, function()
    need_machines()
    local server <close>, script = on(A, [[
      local l <close> = assert(mp.Listener { address = { "10.91.0.1", 0 }, authkey = "cable" })
      print(l.address[2])
      local c <close> = assert(l:accept(20))
      print(l.last_accepted[1])
      for v in c:messages() do c:send { v } end
      print "closed"
    ]])
    local port <const> = server:read "l"
    local client <close>, other = on(B, ([[
      local address = { "10.91.0.1", %s }
      print(pcall(mp.Client, address, "another"))
      local c <close> = assert(mp.Client(address, "cable"))
      c:send(("x"):rep(1 << 20))
      print(#c:recv(10)[1])
      c:send { deep = { true } }
      print(c:recv(10)[1].deep[1])
    ]]):format(port))
    local out = client:read "a"
    local rest = server:read "a"
    os.remove(script)
    os.remove(other)
    -- The wrong key is the listener's first connection, and its error.
    assert.matches("authentication failed", out)
    assert.matches("authentication failed", rest)
  end))

  it("share what a manager has, until the cable is cut", within(60, function()
    need_machines()
    local server <close>, script = on(A, [[
      local Account = {}
      Account.__index = Account
      function Account.new(n) return setmetatable({ n = n }, Account) end
      function Account:pay(k)
        if k > self.n then error("no funds", 0) end
        self.n = self.n - k
        return self.n
      end
      local m <close> = assert(mp.Manager { address = { "10.91.0.1", 0 }, authkey = "cable" })
      m:register("Account", Account)
      print(m.address[2])
      print(mp.current_process().pid)
      m:join()
    ]])
    local port <const>, pid <const> = server:read "l", server:read "l"
    local client <close>, other = on(B, ([[
      local m <close> = assert(mp.Manager.connect({ "10.91.0.1", %s }, "cable"))
      local account = m:Account(100)
      print(account:pay(30))
      local ok, err = pcall(account.pay, account, 500)
      print(ok, err.value, err.kind)
      local d = m:dict { list = { 1, 2 } }
      d.list:append(3)
      print(#d.list)
      local p = mp.spawn(function(dict) dict.child = true end, d)
      p:join()
      print(d.child)
      local q = m:Queue()
      print "waiting"
      local ok, err = pcall(q.get, q)
      print(ok, err.kind)
    ]]):format(port))
    for _, line in ipairs { "70", "false\tno funds\terror", "3", "true", "waiting" } do
      assert.equal(line, client:read "l")
    end
    local from = helper.now()
    assert(sh(("ip -n %s link set mpa%d down"):format(A, ID)))
    assert.equal("false\tlost", client:read "l")
    assert.is_true(helper.now() - from < 20)
    sh("kill -9 " .. pid)
    os.remove(script)
    os.remove(other)
  end))
end)
