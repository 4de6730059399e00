-- Calls each function and method of mp with what it cannot use, and prints each
-- error message that does not begin with the place of the call: this file's. What
-- takes the arguments all the same runs in this process, which ends after.
local mp <const> = require "mp"

-- Nothing of mp takes it.
local WRONG <const> = io.stdout

-- Raises what it is given, ends the process, or does not return.
local SKIP <const> = { ["mp.stop"] = true, ["process.run"] = true, ["pool.warm"] = true }

local wrong, calls = 0, 0

local function try(what, f, ...)
  calls = calls + 1
  local ok <const>, err <const> = pcall(function(...)
    local r = f(...) -- no tail call: this line is the caller's
    return r
  end, ...)
  if not ok and (type(err) ~= "string" or not err:find "^spec/blame/run%.lua:%d+: [^\n]") then
    wrong = wrong + 1
    print(("%s: %s"):format(what, err))
  end
end

-- The names of what the reference lists: of functions (mp, mp.dict) and methods.
local function documented()
  local names <const> = {}
  local file <close> = assert(io.open "library/mp.lua")
  for line in file:lines() do
    local owner <const>, name <const> = line:match "^function ([%w_.]+)[.:]([%w_]+)%("
    if owner then
      names[owner] = names[owner] or {}
      table.insert(names[owner], name)
    end
  end
  return names
end

local names <const> = documented()

for owner, t in pairs { ["mp"] = mp, ["mp.dict"] = mp.dict } do
  for _, name in ipairs(names[owner]) do
    local what <const>, f <const> = owner .. "." .. name, t[name]
    if not SKIP[what] then
      try(what .. "(WRONG)", f, WRONG)
      try(what .. "(x, WRONG)", f, "x", WRONG)
      try(what .. "(1, WRONG)", f, 1, WRONG)
      try(what .. "(nil, WRONG)", f, nil, WRONG)
      try(what .. "(x, {}, WRONG)", f, "x", {}, WRONG)
    end
  end
  names[owner] = nil
end

local pool <const>, here <const>, there <const> = mp.Pool(1), mp.Pipe()
for i = 1, 9 do
  there:send_bytes(tostring(i))
end
local value <const> = mp.Value("q", 1)
local objects <const> = {
  range = mp.range(3),
  process = mp.Process { target = print },
  ["mp.Process"] = mp.Process,
  ["mp.Manager"] = mp.Manager,
  parent = mp.spawn(function() end),
  pool = pool,
  iterator = pool:imap(tostring, { 1 }),
  result = pool:apply_async(tostring, { 1 }),
  queue = mp.Queue(1),
  waitable = mp.Queue(1),
  joinable = mp.JoinableQueue(1),
  simple = mp.SimpleQueue(),
  connection = here,
  listener = mp.Listener(),
  lock = mp.Lock(),
  semaphore = mp.Semaphore(1),
  condition = mp.Condition(),
  event = mp.Event(),
  barrier = mp.Barrier(1),
  rawvalue = value,
  lockable = value,
  array = mp.Array("q", 3),
  struct = mp.Struct { { "x", "q" } },
  memory = mp.SharedMemory { create = true, size = 8 },
  shareable = mp.ShareableList { 1 },
  list = mp.list { 1, 2 },
  manager = mp.Manager(),
  logger = mp.get_logger(),
  chaos = mp.chaos { rate = 1e-9 },
}

for class, methods in pairs(names) do
  local object <const> = objects[class] or error("no object of class " .. class)
  for _, name in ipairs(methods) do
    local what <const>, f <const> = class .. ":" .. name, object[name]
    if f == nil then
      print(what .. ": missing")
    elseif not SKIP[what] then
      try(what .. "(WRONG)", f, object, WRONG)
      try(what .. "(0, WRONG)", f, object, 0, WRONG)
      try(what .. " of WRONG", f, WRONG)
      try(what .. " of nothing", f)
    end
  end
end

for _, n in ipairs { "x", -1, 1 << 40 } do
  try("pool:apply", pool.apply, pool, print, { n = n })
  try("pool:starmap", pool.starmap, pool, print, { { n = n } })
end

io.stdout:write(wrong, " of ", calls, " misplaced\n")
io.stdout:flush()
os.exit(true)
