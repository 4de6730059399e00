-- The reference names what there is, all of it, and nothing else.
local helper = require "spec.helper"
local model = require "tools.reference.model"
local mp = require "mp"

local within <const> = helper.within

local _, classes = model.read()

-- What a class of the reference has, with that of its bases.
local function members_of(name, into)
  into = into or {}
  local class <const> = assert(classes[name], name)
  for _, base in ipairs(class.bases) do
    members_of(base, into)
  end
  for member, what in pairs(class.members) do
    into[member] = what
  end
  return into
end

local function is_public(key)
  return type(key) == "string" and key:match "^%a" ~= nil
end

-- The names of a metatable's __index, a table or a function that looks in
-- tables among its upvalues, and in those of its Lua upvalues.
local function add_names(index, found, depth)
  if type(index) == "table" then
    for key, value in pairs(index) do
      if is_public(key) and type(value) == "function" then
        found[key] = true
      end
    end
  elseif type(index) == "function" and depth < 2 then
    local i = 1
    while true do
      local name <const>, value <const> = debug.getupvalue(index, i)
      if not name then
        break
      elseif type(value) == "table" and value ~= _G and getmetatable(value) == nil then
        add_names(value, found, depth + 1)
      end
      i = i + 1
    end
  end
end

-- One object of each class, made by a function that gets a place for what is
-- to be closed afterwards.
local objects <const> = {
  ["mp.Process"] = function(keep)
    return keep(mp.Process(print))
  end,
  ["mp.Pool"] = function(keep)
    return keep(mp.Pool(0))
  end,
  ["mp.AsyncResult"] = function(keep)
    return keep(mp.Pool(0)):apply_async(print)
  end,
  ["mp.Iterator"] = function(keep)
    return (keep(mp.Pool(0)):imap(print, {}))
  end,
  ["mp.Error"] = function(keep)
    local pool <const> = keep(mp.Pool(0))
    return select(2, pool:apply_async(error, { "x" }):pget())
  end,
  ["mp.Manager"] = function(keep)
    return keep(mp.Manager())
  end,
  ["mp.Logger"] = mp.get_logger,
  ["mp.Connection"] = function()
    return (mp.Pipe())
  end,
  ["mp.Listener"] = function(keep)
    return keep(mp.Listener())
  end,
  ["mp.Barrier"] = function()
    return mp.Barrier(1)
  end,
  ["mp.Value"] = function()
    return mp.Value "i"
  end,
  ["mp.RawValue"] = function()
    return mp.RawValue "i"
  end,
  ["mp.Array"] = function()
    return mp.Array("c", 1)
  end,
  ["mp.RawArray"] = function()
    return mp.RawArray("c", 1)
  end,
  ["mp.Struct"] = function()
    return mp.Struct { { "x", "d" } }
  end,
  ["mp.SharedMemory"] = function(keep)
    return keep(mp.SharedMemory { create = true, size = 1 })
  end,
  ["mp.ShareableList"] = function(keep)
    return keep(mp.ShareableList { 1 })
  end,
  ["mp.Chaos"] = function(keep)
    return keep(mp.chaos { limit = 1, rate = 1e-6 })
  end,
}

for _, name in ipairs {
  "Queue", "JoinableQueue", "SimpleQueue", "Lock", "RLock", "Semaphore", "BoundedSemaphore",
  "Condition", "Event", "list",
} do
  objects["mp." .. name] = function()
    return mp[name]()
  end
end

-- What is callable from Lua and still nobody's business: parts of one class
-- that others of mp call.
local internal <const> = {
  ["mp.AsyncResult"] = {
    "announce", "check", "listen", "look", "obey", "settle", "sleep", "watched", "judged",
  },
  ["mp.Iterator"] = {
    "new", "add_job", "check_doom", "count", "fail", "judge_any", "pull", "pull_items",
    "pull_slice", "sleep", "take_any", "take_ordered",
  },
  ["mp.Process"] = { "extend", "with_start_method" }, -- the class's
  ["mp.Error"] = { "new", "is", "text", "catch", "lost", "stop" },
  ["mp.Listener"] = {},
}

local function with_object(name, f)
  local kept = {}
  local function keep(x)
    kept[#kept + 1] = x
    return x
  end
  local ok <const>, err <const> = pcall(function()
    f(assert(objects[name](keep)))
  end)
  for i = #kept, 1, -1 do
    local _ <close> = kept[i]
  end
  if not ok then
    error(err, 0)
  end
end

local function has(object, key)
  local ok <const>, value <const> = pcall(function()
    return object[key]
  end)
  return ok and value ~= nil
end

describe("the reference", function()
  it("is what ./dev docs makes of its source", within(20, function()
    local r <const> = helper.run_lua("tools/reference/write.lua", { args = { "--check" } })
    assert.equal("", r.err)
    assert.equal(0, r.code)
  end))

  it("is valid Lua for editors", function()
    assert(loadfile "library/mp.lua")
  end)

  for _, case in ipairs {
    { "mp", mp }, { "mp.DictModule", mp.dict }, { "mp.ManagerClass", mp.Manager },
  } do
    local name <const>, module <const> = case[1], case[2]
    it("names what is in " .. name, function()
      local members <const> = members_of(name)
      for key in pairs(module) do
        if is_public(key) or key == "_VERSION" then
          assert(members[key], ("%s.%s is not in the reference"):format(name, key))
        end
      end
      for key in pairs(members) do
        assert(module[key] ~= nil, ("%s.%s is in the reference only"):format(name, key))
      end
    end)
  end

  for name in pairs(objects) do
    it("names what a " .. name .. " has", within(20, function()
      local members <const> = members_of(name)
      with_object(name, function(object)
        local found <const>, skip <const> = {}, {}
        for _, key in ipairs(internal[name] or {}) do
          skip[key] = true
        end
        local mt <const> = debug.getmetatable(object)
        add_names(mt.__index, found, 0)
        if name == "mp.Process" then
          add_names(mp.Process, found, 0)
        end
        for key in pairs(found) do
          assert(members[key] or skip[key], ("%s:%s is not in the reference"):format(name, key))
        end
        for key, what in pairs(members) do
          if is_public(key) and (what.owner or not (what.optional or what.type:find "%?$"
            or what.type == "any" or key == "sentinel")) then
            assert(has(object, key), ("%s.%s is in the reference only"):format(name, key))
          end
        end
      end)
    end))
  end

  it("has an object of each class that has methods to try", function()
    -- Those that are part of others, or only described.
    local others <const> = {
      mp = true, ["mp.DictModule"] = true, ["mp.ManagerClass"] = true, ["mp.ProcessClass"] = true,
      ["mp.Waitable"] = true, ["mp.Lockable"] = true, ["mp.Parent"] = true,
    }
    for name, class in pairs(classes) do
      for _, member in pairs(class.members) do
        assert(objects[name] or others[name] or not member.owner, "no object of " .. name)
      end
    end
  end)

  it("names the fields that C code looks up", function()
    local documented <const> = {}
    for _, class in pairs(classes) do
      for key in pairs(class.members) do
        documented[key] = true
      end
    end
    for path in io.popen("ls lua/core/*.c"):lines() do
      -- What the family's members are is for mp itself.
      local text <const> = path:match "family" and "" or helper.read_file(path)
      for key in text:gmatch 'strcmp%(key, "([%w_]+)"%)' do
        assert(documented[key], ("%s: field '%s' is not in the reference"):format(path, key))
      end
    end
  end)
end)

-- Options -----------------------------------------------------------------------

-- How each table of options is given to what takes it.
local function nothing() end
local takes <const> = {
  ["mp.LoadsOptions"] = function(o)
    return mp.loads(mp.dumps(1), o)
  end,
  ["mp.ChaosOptions"] = mp.chaos,
  ["mp.ProcessOptions"] = mp.Process,
  ["mp.PoolOptions"] = mp.Pool,
  ["mp.TaskOptions"] = function(o)
    local pool <close> = mp.Pool(0)
    return pool:apply(nothing, {}, o)
  end,
  ["mp.MapOptions"] = function(o)
    local pool <close> = mp.Pool(0)
    return pool:map(nothing, {}, o)
  end,
  ["mp.RetryOptions"] = function(o)
    local pool <close> = mp.Pool(0)
    return pool:map(nothing, {}, { retries = o })
  end,
  ["mp.NameOptions"] = mp.Lock,
  ["mp.ListenerOptions"] = mp.Listener,
  ["mp.ClientOptions"] = function(o)
    return mp.Client("/nowhere", nil, o)
  end,
  ["mp.ValueOptions"] = function(o)
    return mp.Value("i", 0, o)
  end,
  ["mp.SharedMemoryOptions"] = mp.SharedMemory,
  ["mp.ShareableListOptions"] = function(o)
    return mp.ShareableList({ 1 }, o)
  end,
  ["mp.ManagerOptions"] = mp.Manager,
  ["mp.ConnectOptions"] = function(o)
    o.address = o.address or "/nowhere"
    return mp.Manager.connect(o)
  end,
}

-- Where the code in Lua keeps the names that it takes: a function that sees the
-- upvalue, directly or through functions it calls, and the upvalue's name.
local kept_in <const> = {
  ["mp.ChaosOptions"] = { mp.chaos, "OPTIONS" },
  ["mp.ProcessOptions"] = { mp.spawn, "OPTIONS" },
  ["mp.PoolOptions"] = { require("mp.pool_options").of, "check" },
  ["mp.RetryOptions"] = { require("mp.policy").of, "RETRIES" },
  ["mp.ListenerOptions"] = { mp.Listener, "OPTIONS" },
  ["mp.ClientOptions"] = { mp.Client, "CLIENT_OPTIONS" },
  ["mp.ManagerOptions"] = { getmetatable(mp.Manager).__call, "OPTIONS" },
  ["mp.MapOptions"] = { require("mp.policy").of, "ALLOWED", "map" },
  ["mp.TaskOptions"] = { require("mp.policy").of, "ALLOWED", "apply" },
}

local upvalue

-- In a function, or in those of plain tables.
local function search(value, wanted, seen)
  if seen[value] or value == _G then
    return nil
  elseif type(value) == "function" then
    return upvalue(value, wanted, seen)
  elseif type(value) == "table" and getmetatable(value) == nil then
    seen[value] = true
    for _, inner in next, value do
      local found <const> = (type(inner) == "function" or type(inner) == "table")
        and search(inner, wanted, seen)
      if found then
        return found
      end
    end
  end
end

function upvalue(f, wanted, seen)
  seen = seen or {}
  seen[f] = true
  local values, i = {}, 1
  while true do
    local name <const>, value <const> = debug.getupvalue(f, i)
    if not name then
      break
    elseif name == wanted and type(value) == "table" then
      return value
    end
    values[#values + 1] = value
    i = i + 1
  end
  for _, value in ipairs(values) do
    local found <const> = search(value, wanted, seen)
    if found then
      return found
    end
  end
end

describe("the reference's options", function()
  local function refused(name, o)
    local ok <const>, err <const> = pcall(takes[name], o)
    return not ok and tostring(err):find "invalid option" ~= nil
  end

  for name, class in pairs(classes) do
    if name:match "Options$" then
      it("of " .. name .. " are taken, and no others", within(20, function()
        assert(takes[name], "nobody takes " .. name)
        assert(refused(name, { frobnicate = true }), "an unknown option is taken")
        for option in pairs(class.fields) do
          -- What no option is: so nothing is made.
          local wrong <const> = setmetatable({}, { __name = "nothing" })
          assert(not refused(name, { [option] = wrong }), option .. " is in the reference only")
        end
        local where <const> = kept_in[name]
        if where then
          local known = assert(upvalue(where[1], where[2]), "no " .. where[2])
          known = where[3] and known[where[3]] or known
          for option in pairs(known) do
            assert(class.fields[option], option .. " is not in the reference")
          end
        end
      end))
    end
  end

  it("name those that C code takes", function()
    local documented <const> = {}
    for name, class in pairs(classes) do
      for option in pairs(name:match "Options$" and class.fields or {}) do
        documented[option] = true
      end
    end
    for path in io.popen("ls lua/core/*.c"):lines() do
      for list in helper.read_file(path):gmatch "known%[%] = {(.-)}" do
        for option in list:gmatch '"([%w_]+)"' do
          local missing = ("%s: option '%s' is not in the reference"):format(path, option)
          assert(documented[option], missing)
        end
      end
    end
  end)
end)
