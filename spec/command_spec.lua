-- The command line program mp.
local helper = require "spec.helper"

local within <const> = helper.within

local function sh(command, input)
  local r <const> = helper.run_lua(
    ("local _, _, code = os.execute(%q) os.exit(code)"):format(command),
    { stdin = input, timeout = 30 }
  )
  return r.out, r.code, r.err
end

local mp <const> = (os.getenv "MP_LUA" or "lua5.4") .. " bin/mp "

describe("mp map", function()
  it("prints the value of an expression for each line, in order", within(30, function()
    assert.same({ "1\n4\n9\n", 0 }, { sh(mp .. "map 'x * x' </dev/stdin", "1\n2\n3\n"), 0 })
  end))

  it("gives text that is no number as it is", within(30, function()
    assert.equal("AB\n12\n", (sh(mp .. "map 'line:upper()'", "ab\n12\n")))
  end))

  it("says which line failed, prints the others, and exits with 1", within(30, function()
    local out, code, err = sh(mp .. "map -j2 'x + 1'", "1\nno\n3\n")
    assert.equal("2\n4\n", out)
    assert.equal(1, code)
    assert.matches("mp: line 2: expression:1: attempt to add", err)
  end))

  it("takes no input for an answer", within(30, function()
    assert.same({ "", 0 }, { sh(mp .. "map x", "") , 0 })
  end))
end)

describe("mp each", function()
  local folder
  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    local f <close> = assert(io.open(folder .. "/script.lua", "w"))
    f:write [[
      local file = ...
      print("begin", file)
      if file == "bad" then error "no luck" end
      if file == "false" then return false end
      io.write("end ", file, "\n")
    ]]
  end)
  teardown(function()
    os.execute("rm -rf " .. folder)
  end)

  it("runs a script for each file and keeps their output whole and in order", within(30, function()
    local out, code = sh(mp .. ("each -j2 %s/script.lua a b c"):format(folder))
    assert.equal("begin\ta\nend a\nbegin\tb\nend b\nbegin\tc\nend c\n", out)
    assert.equal(0, code)
  end))

  it("goes on after a script that fails, and exits with 1", within(30, function()
    local out, code, err = sh(mp .. ("each %s/script.lua bad false a"):format(folder))
    assert.equal("begin\tbad\nbegin\tfalse\nbegin\ta\nend a\n", out)
    assert.equal(1, code)
    assert.matches("mp: bad: .*no luck\nmp: false: returned false\n", err)
  end))

  it("logs its jobs, and resumes", within(30, function()
    local log <const> = folder .. "/log"
    sh(mp .. ("each --joblog %s %s/script.lua a bad b"):format(log, folder))
    local lines = {}
    for line in io.lines(log) do
      lines[#lines + 1] = line:match "^%d+\t%d+\t[%d.]+\t(%d\t.*)$"
    end
    assert.same({ "0\ta", "1\tbad", "0\tb" }, lines)
    local out = sh(mp .. ("each --joblog=%s --resume %s/script.lua a bad b c"):format(log, folder))
    assert.equal("begin\tbad\nbegin\tc\nend c\n", out)
  end))
end)

describe("mp map and mp each", function()
  local folder
  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    local f <close> = assert(io.open(folder .. "/script.lua", "w"))
    -- What is killed or slow is so until it was tried twice.
    f:write(([[
      local file = ...
      local log <close> = assert(io.open("%s/" .. file .. ".tries", "a+"))
      local tries = log:seek "end"
      log:write "x"
      log:close()
      if tries < 2 and file == "killed" then
        os.execute("kill -9 " .. io.open("/proc/self/stat"):read "n")
      end
      while tries < 2 and file == "slow" do end
      io.write(file, "\n")
    ]]):format(folder))
  end)
  before_each(function()
    os.execute("rm -f " .. folder .. "/*.tries")
  end)
  teardown(function()
    os.execute("rm -rf " .. folder)
  end)

  it("give up what takes longer than --timeout", within(30, function()
    local expression <const> = "x < 0 or (function() while true do end end)()"
    local out, code, err = sh(("%smap --timeout 0.2 '%s'"):format(mp, expression), "-1\n1\n")
    assert.equal("true\n", out)
    assert.equal("mp: line 2: took longer than 0.2 s\n", err)
    assert.equal(1, code)
  end))

  it("lose only what was killed", within(30, function()
    local out, code, err = sh(mp .. ("each %s/script.lua killed a"):format(folder))
    assert.equal("a\n", out)
    assert.matches("^mp: killed: was lost: .* was ended by SIGKILL", err)
    assert.equal(1, code)
  end))

  it("try again as often as --retries says", within(30, function()
    local words <const> = "each --timeout 0.2 --retries=2 %s/script.lua slow a"
    local out, code, err = sh(mp .. words:format(folder))
    assert.equal("", err)
    assert.equal("slow\na\n", out)
    assert.equal(0, code)
  end))

  it("are silent about their --progress where nobody looks", within(30, function()
    local out, code, err = sh(mp .. "map --progress 'x + 1'", "1\n")
    assert.same({ "2\n", 0, "" }, { out, code, err })
  end))

  it("show their --progress on a terminal", within(30, function()
    local words <const> = 'script -qec "%s each --progress %s/script.lua a b" /dev/null'
    local out = sh(words:format(mp, folder))
    assert.matches("2/2", out)
    assert.matches("a\r?\nb", out)
  end))
end)

describe("mp, called wrongly,", function()
  it("says what is wrong and exits with 2", within(30, function()
    for _, case in ipairs {
      { "frobnicate", "unknown command 'frobnicate'" },
      { "map", "map needs an expression" },
      { "map 'x +'", "expression" },
      { "map --colour x", "unknown option %-%-colour" },
      { "map -j x y", "jobs must be a number" },
      { "each /no/script a", "cannot read /no/script" },
      { "map -j 0 x", "jobs must be at least 1" },
      { "map --retries", "%-%-retries needs a value" },
      { "map --retries -1 x", "retries must be a number, not '%-1'" },
      { "map --timeout soon x", "timeout must be a number, not 'soon'" },
      { "map --joblog log x", "%-%-joblog is an option of mp each" },
      { "map x y", "map takes one expression" },
      { "each", "each needs a script" },
      { "each --resume spec/helper.lua a", "%-%-resume needs %-%-joblog" },
      { "", "^usage: mp map" },
    } do
      local out, code, err = sh(mp .. case[1], "")
      assert.equal("", out)
      assert.equal(2, code)
      assert.matches(case[2], err)
    end
  end))

  it("explains itself on --help", within(30, function()
    for _, words in ipairs { "--help", "map --help", "each -h" } do
      local out, code = sh(mp .. words)
      assert.matches("^usage: mp map", out)
      assert.equal(0, code)
    end
  end))
end)
