-- runs alone: it looks at names in /dev/shm
local helper = require "spec.helper"
local mp = require "mp"

local within <const> = helper.within

local prefix <const> = "mp_spec_" .. mp.current_process().pid .. "_"

local function on_disk(name)
  local file <close> = io.open("/dev/shm/" .. name, "rb")
  return file ~= nil
end

local function contents(name)
  return helper.read_file("/dev/shm/" .. name)
end

local function has(program)
  return (os.execute("command -v " .. program .. " >/dev/null 2>&1"))
end

-- Runs a program and returns what it wrote.
local function output(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  local text <const> = pipe:read "a"
  local ok <const>, _, code = pipe:close()
  return text, ok and 0 or code
end

-- Runs a Lua program that begins a family of its own.
local function program(code)
  return helper.run_lua('local mp = require "mp"\n' .. code, { timeout = 20 })
end

describe("mp.SharedMemory", function()
  before_each(helper.baseline)
  after_each(helper.leaks)

  it("is a file of /dev/shm as long as it is open", function()
    local name <const> = prefix .. "a"
    local m <const> = mp.SharedMemory { name = name, create = true, size = 10000 }
    assert.equal(name, m.name)
    assert.equal(10000, m.size)
    assert.equal(("\0"):rep(10000), contents(name))
    m:close()
    assert.is_false(on_disk(name))
    m:close()
  end)

  it("is open to its user only", function()
    local m <close> = mp.SharedMemory { create = true, size = 1 }
    local mode <const> = output("stat -c %A /dev/shm/" .. m.name)
    assert.equal("-rw-------", (mode:gsub("T", "-"):gsub("%s", "")))
  end)

  it("gets a name if it is given none", function()
    local a <close> = mp.SharedMemory { create = true, size = 1 }
    local b <close> = mp.SharedMemory { create = true, size = 1 }
    assert.matches("^mp_%x%x%x%x%x%x%x%x$", a.name)
    assert.not_equal(a.name, b.name)
    assert.is_true(on_disk(a.name) and on_disk(b.name))
  end)

  describe("buf", function()
    it("is its bytes", function()
      local m <close> = mp.SharedMemory { create = true, size = 100 }
      local buf <const> = m.buf
      assert.equal(100, #buf)
      buf[1] = 255
      assert.equal(255, buf[1])
      assert.is_nil(buf[0])
      assert.is_nil(buf[101])
      assert.error_matches(function() buf[101] = 1 end, "index 101 out of range %(1 to 100%)")
      assert.error_matches(function() buf[1] = 256 end, "value out of range for code 'B'")
      assert.is_true(rawequal(buf, m.buf))
    end)

    it("is read and written in strings", function()
      local m <close> = mp.SharedMemory { create = true, size = 100 }
      m.buf:write(2, "hello\0world")
      assert.equal("hello\0world", m.buf:read(2, 12))
      assert.equal("world", m.buf:read(8, 12))
      assert.equal("\0hello\0world" .. ("\0"):rep(88), contents(m.name))
      assert.error_matches(function() m.buf:write(99, "abc") end,
        "3 elements do not fit from 99 to 100")
    end)

    it("has typed views, which keep the memory", function()
      local name <const> = prefix .. "v"
      local m <const> = mp.SharedMemory { name = name, create = true, size = 100 }
      local d <close> = m.buf:view(9, 32, "d")
      d:set(1, { 1.5, 2.5, 3.5 })
      assert.equal(string.pack("ddd", 1.5, 2.5, 3.5), m.buf:read(9, 32))
      local point <close> = mp.Struct { { "x", "d" }, { "n", "i" } }
      local p <close> = m.buf:view(33, 64, point)
      p[2].n = 7
      assert.error_matches(function() m.buf:view(2, 9, "d") end, "not aligned for the code")
      assert.error_matches(function() m.buf:view(1, 7, "d") end, "7 bytes are no multiple of 8")
      m:close()
      assert.is_true(on_disk(name))
      assert.equal(2.5, d[2])
      assert.equal(7, p[2].n)
      p:close()
      d:close()
      assert.is_false(on_disk(name))
    end)

    it("is nil after close, name and size are not", function()
      local m <const> = mp.SharedMemory { name = prefix .. "c", create = true, size = 8 }
      local buf <const> = m.buf
      m:close()
      assert.is_nil(m.buf)
      assert.equal(prefix .. "c", m.name)
      assert.equal(8, m.size)
      assert.error_matches(function() return buf[1] end, "attempt to use a closed RawArray")
      assert.error_matches(function() m:unlink() end, "attempt to use a closed SharedMemory")
      assert.matches("^mp.SharedMemory: 0x%x+ %(closed%)$", tostring(m))
    end)
  end)

  it("is attached by name", function()
    local name <const> = prefix .. "n"
    local m <close> = mp.SharedMemory { name = name, create = true, size = 10 }
    do
      local n <close> = mp.SharedMemory { name = name }
      assert.equal(10, n.size)
      n.buf[1] = 5
    end
    assert.equal(5, m.buf[1])
    local n <const> = mp.SharedMemory { name = name, size = 10 }
    m:close()
    assert.is_true(on_disk(name))
    assert.equal(5, n.buf[1])
    n:close()
    assert.is_false(on_disk(name))
  end)

  it("keeps what it has when it is unlinked", function()
    local name <const> = prefix .. "u"
    local m <close> = mp.SharedMemory { name = name, create = true, size = 10 }
    assert.is_true(m:unlink())
    assert.is_false(on_disk(name))
    m.buf[1] = 1
    local ok <const>, why <const>, errno <const> = m:unlink()
    assert.is_nil(ok)
    assert.equal("shared memory '" .. name .. "': No such file or directory", why)
    assert.equal(2, errno)
    local n <close> = mp.SharedMemory { name = name, create = true, size = 20 }
    assert.equal(0, n.buf[1])
    assert.is_nil((m:unlink())) -- the name is n's now
    assert.is_true(on_disk(name))
  end)

  it("stays with persist, until it is unlinked", function()
    local name <const> = prefix .. "p"
    do
      local m <close> = mp.SharedMemory { name = name, create = true, size = 10, persist = true }
      m.buf:write(1, "kept")
    end
    assert.is_true(on_disk(name))
    local r <const> = program(([[
      local m <close> = mp.SharedMemory { name = %q }
      io.write(m.buf:read(1, 4))
    ]]):format(name))
    assert.equal("kept", r.out)
    assert.is_true(on_disk(name))
    local m <close> = mp.SharedMemory { name = name }
    m:unlink()
  end)

  it("says what the system refuses", function()
    local name <const> = prefix .. "r"
    local m <close> = mp.SharedMemory { name = name, create = true, size = 10 }
    local function refused(options, message, errno)
      local ok, why, number = mp.SharedMemory(options)
      assert.is_nil(ok)
      assert.equal(("shared memory '%s': %s"):format(options.name, message), why)
      assert.equal(errno, number)
    end
    refused({ name = name, create = true, size = 10 }, "File exists", 17)
    refused({ name = prefix .. "none" }, "No such file or directory", 2)
    assert.is_nil((mp.SharedMemory { create = true, size = 1 << 50 }))
    assert.equal(10, m.size)
  end)

  it("refuses options that are none", function()
    local function bad(options, message)
      assert.error_matches(function() mp.SharedMemory(options) end, message, 1, true)
    end
    bad(nil, "table expected")
    bad({}, "field 'name' missing in options table")
    bad({ create = true }, "field 'size' missing in options table")
    bad({ create = true, size = 0 }, "field 'size' must be positive")
    bad({ create = true, size = -1 }, "field 'size' must be positive")
    bad({ create = true, size = 1.5 }, "field 'size': number has no integer representation")
    bad({ create = true, size = "1" }, "field 'size' must be a number")
    bad({ create = 1 }, "field 'create' must be a boolean")
    bad({ name = 1 }, "field 'name' must be a string")
    bad({ name = "" }, "invalid name ''")
    bad({ name = "a/b" }, "invalid name 'a/b'")
    bad({ name = ".." }, "invalid name '..'")
    bad({ name = "a\0b" }, "invalid name 'a'")
    bad({ name = ("x"):rep(251) }, "field 'name' is too long")
    bad({ name = "x", persist = true }, "option 'persist' needs 'create'")
    bad({ create = true, size = 1, persist = 1 }, "field 'persist' must be a boolean")
    bad({ name = "x", track = false }, "invalid option 'track'")
    local m <close> = mp.SharedMemory { create = true, size = 10 }
    bad({ name = m.name, size = 11 }, ("'%s' has 10 bytes, not 11"):format(m.name))
  end)

  it("shows its state, and its type", function()
    local m <close> = mp.SharedMemory { name = prefix .. "t", create = true, size = 10 }
    assert.matches("^mp.SharedMemory: 0x%x+ %('" .. m.name .. "', 10 bytes%)$", tostring(m))
    assert.equal("SharedMemory", mp.type(m))
  end)

  describe("in other processes of the family", function()
    it("is passed on, and its views, whatever the start method", within(60, function()
      for _, method in ipairs(mp.get_all_start_methods()) do
        local r <const> = program(([[
          mp.set_start_method %q
          local m <close> = mp.SharedMemory { create = true, size = 64 }
          local d <close> = m.buf:view(9, 64, "d")
          local p = mp.spawn(function(memory, view)
            memory.buf:write(1, "child")
            view[7] = 2.5
            memory:close()
            assert(view[7] == 2.5)
          end, m, d)
          p:join()
          io.write(p.exitcode, m.buf:read(1, 5), d[7])
        ]]):format(method))
        assert.equal("0child2.5", r.out, r.err)
      end
    end))

    it("lives as long as one of them, or a message, has it", within(20, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local name <const> = prefix .. "m"
      local p <const> = mp.spawn(function()
        b:recv() -- "go"
        local m <close> = b:recv()
        assert(m.buf:read(1, 4) == "hold")
        b:send "got"
        b:recv() -- "end"
      end)
      do
        local m <close> = mp.SharedMemory { name = name, create = true, size = 10 }
        m.buf:write(1, "hold")
        a:send "go"
        a:send(m)
      end
      assert.is_true(on_disk(name))
      assert.equal("got", a:recv())
      assert.is_true(on_disk(name))
      a:send "end"
      p:join()
      assert.equal(0, p.exitcode)
      assert.is_false(on_disk(name))
    end))

    it("goes with the last of them that is killed", within(30, function()
      for order = 1, 2 do
        local a, b <close> = mp.Pipe()
        local _ <close> = a
        local name <const> = prefix .. "k"
        local owner <const> = mp.spawn(function()
          local m <close> = mp.SharedMemory { name = name, create = true, size = 10 }
          m.buf:write(1, "owner")
          b:send "made"
          mp.sleep(60)
        end)
        assert.equal("made", a:recv())
        local user <const> = mp.spawn(function()
          local m <close> = mp.SharedMemory { name = name }
          assert(m.buf:read(1, 5) == "owner")
          b:send "attached"
          mp.sleep(60)
        end)
        assert.equal("attached", a:recv())
        local first, last = owner, user
        if order == 2 then first, last = last, first end
        first:kill()
        first:join()
        mp.sleep(0.05)
        assert.is_true(on_disk(name))
        last:kill()
        last:join()
        helper.eventually(2, function() return not on_disk(name) end)
      end
    end))

    it("says when it cannot be attached any more", within(10, function()
      local a, b <close> = mp.Pipe()
      local _ <close> = a
      local p <const> = mp.spawn(function()
        b:recv()
        local m <close> = b:recv()
        local ok, why = pcall(function() return m.buf end)
        assert(not ok and why:find("cannot be attached any more", 1, true), why)
        assert(m.size == 10)
      end)
      local m <close> = mp.SharedMemory { create = true, size = 10 }
      m:unlink()
      a:send "go"
      a:send(m)
      p:join()
      assert.equal(0, p.exitcode)
    end))
  end)

  describe("in other programs with mp", function()
    it("is attached, and outlives the program that made it", within(30, function()
      local name <const> = prefix .. "o"
      local m <close> = mp.SharedMemory { name = name, create = true, size = 10 }
      m.buf:write(1, "ours")
      local r <const> = program(([[
        local m <close> = mp.SharedMemory { name = %q }
        assert(m.buf:read(1, 4) == "ours")
        m.buf:write(1, "hers")
      ]]):format(name))
      assert.equal(0, r.code, r.err)
      assert.is_true(on_disk(name))
      assert.equal("hers", m.buf:read(1, 4))
      -- Killed while it has it attached.
      local k <const> = program(([[
        local m <close> = mp.SharedMemory { name = %q }
        os.execute("kill -9 " .. mp.current_process().pid)
      ]]):format(name))
      assert.equal(9, k.signal or k.code - 128)
      assert.is_true(on_disk(name))
    end))

    it("is removed at the end of the program, whatever the end", within(30, function()
      local name <const> = prefix .. "e"
      for _, finish in ipairs { "", "error 'oops'", "os.exit(3, true)", "os.exit(3)" } do
        program(("m = mp.SharedMemory { name = %q, create = true, size = 10 }\n"):format(name)
          .. finish)
        assert.is_false(on_disk(name))
      end
    end))

    it("left by a killed family is removed by the next to start", within(30, function()
      local name <const> = prefix .. "s"
      local function leave()
        program(([[
          local m = mp.SharedMemory { name = %q, create = true, size = 10 }
          os.execute("kill -9 " .. mp.current_process().pid)
        ]]):format(name))
        assert.is_true(on_disk(name))
      end
      leave()
      program "mp.Value 'i'"
      assert.is_false(on_disk(name))
      -- Or to use the name.
      leave()
      local none <const>, why <const> = mp.SharedMemory { name = name }
      assert.is_nil(none)
      assert.equal("shared memory '" .. name .. "': No such file or directory", why)
      assert.is_false(on_disk(name))
      leave()
      local m <close> = mp.SharedMemory { name = name, create = true, size = 20 }
      assert.equal(20, m.size)
    end))

    it("killed at any point leaves nothing for good", within(100, function()
      local name <const> = prefix .. "x"
      local points <const> = {
        "memory.made", "census.adding", "memory.named", "census.removing", "memory.removing",
      }
      for _, point in ipairs(points) do
        local r <const> = program(([[
          mp.Value "i"
          require "mp.core".testpoint(%q)
          local m <close> = mp.SharedMemory { name = %q, create = true, size = 10 }
          m:close()
        ]]):format(point, name))
        assert.equal(9, r.signal or r.code - 128, point)
        program "mp.Value 'i'"
        assert.is_false(on_disk(name), point)
      end
    end))
  end)

  if has "python3" then
    describe("in Python", function()
      -- Before 3.13 Python's tracker removes what a program merely attached.
      local attach <const> = [[python3 -c '
from multiprocessing import shared_memory, resource_tracker
m = shared_memory.SharedMemory(name="%s")
resource_tracker.unregister(m._name, "shared_memory")
%s
m.close()']]

      it("is attached by name", within(30, function()
        local name <const> = prefix .. "py"
        local m <close> = mp.SharedMemory { name = name, create = true, size = 32 }
        m.buf:write(1, "from Lua")
        local text <const>, code <const> = output(attach:format(name, [[
assert m.size == 32, m.size
assert bytes(m.buf[:8]) == b"from Lua"
m.buf[:11] = b"from Python"
print("done")]]))
        assert.equal("done\n", text)
        assert.equal(0, code)
        assert.equal("from Python", m.buf:read(1, 11))
        assert.is_true(on_disk(name))
      end))

      it("made there is attached here, and left alone", within(30, function()
        local name <const> = prefix .. "pm"
        local text <const> = output(([[python3 -c '
from multiprocessing import shared_memory, resource_tracker
m = shared_memory.SharedMemory(name="%s", create=True, size=4096)
resource_tracker.unregister(m._name, "shared_memory")
m.buf[:2] = b"py"
m.close()
print("made")']]):format(name))
        assert.equal("made\n", text)
        do
          local m <close> = mp.SharedMemory { name = name }
          assert.equal("py", m.buf:read(1, 2))
          m.buf:view(9, 16, "d")[1] = 2.5
        end
        assert.is_true(on_disk(name))
        program "mp.Value 'i'"
        assert.is_true(on_disk(name))
        local answer <const> = output(attach:format(name, [[
import struct
print(struct.unpack_from("d", m.buf, 8)[0])
m.unlink = lambda: None]]))
        assert.equal("2.5\n", answer)
        local m <close> = mp.SharedMemory { name = name }
        assert.is_true(m:unlink())
      end))
    end)
  end

  if has "cc" then
    it("is attached by a C program", within(30, function()
      local source <const>, binary <const> = os.tmpname() .. ".c", os.tmpname()
      do
        local file <close> = assert(io.open(source, "w"))
        file:write [[
#include <fcntl.h>
#include <sys/mman.h>
int main(int argc, char **argv)
{
    int fd = shm_open(argv[argc - 1], O_RDWR, 0);
    double *d = mmap(0, 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || d == MAP_FAILED || d[0] != 1.5)
        return 1;
    d[7] = d[0] * 2;
    return 0;
}
]]
      end
      local text <const> = output(("cc -o %s %s -lrt"):format(binary, source))
      assert.equal("", text)
      local m <close> = mp.SharedMemory { create = true, size = 64 }
      local d <close> = m.buf:view(1, 64, "d")
      d[1] = 1.5
      local said <const>, code <const> = output(("%s /%s"):format(binary, m.name))
      assert.equal("", said)
      assert.equal(0, code)
      assert.equal(3.0, d[8])
      os.remove(source)
      os.remove((source:gsub("%.c$", "")))
      os.remove(binary)
    end))
  end
end)
