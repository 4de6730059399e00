-- Runs everything and ends with the line `N passed, N failed`:
--   lua5.4 tools/test/run.lua PRESET [FILTER]
-- from the repository's root, in the environment that ./dev sets up. A filter
-- chooses the files whose names contain it; if there are none, the tests.
--
-- Specs run with fork as the default start method. Those that say `under every
-- start method` in their first lines run with the two others as well; with
-- MP_METHODS=all every one does in which a process is started.
local preset, filter = table.unpack(arg)
local build <const> = os.getenv "MP_BUILD"
local dir <const> = build .. "/test"

-- Under TSan only C programs of ours run: the stock interpreter is not built
-- with it. Two jobs at a time: what is measured in tests still has a CPU.
local with_lua <const> = preset ~= "tsan"
local lanes <const> = 2

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function lines(command)
  local list = {}
  local pipe <close> = assert(io.popen(command))
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  return list
end

local function files(where, pattern)
  return lines(("find %s -name %s 2>/dev/null | sort"):format(where, quote(pattern)))
end

local function ctests()
  local list = {}
  for _, line in ipairs(lines(("ctest --test-dir %s -N"):format(quote(build)))) do
    list[#list + 1] = line:match("Test%s+#%d+: (%S+)")
  end
  return list
end

local jobs = {}
local function add(kind, names)
  for _, name in ipairs(names) do
    if not filter or name:find(filter, 1, true) then
      jobs[#jobs + 1] = { kind = kind, name = name }
    end
  end
end

if with_lua then
  add("layers", files("tools", "layers*.lua"))
end
add("ctest", ctests())
if with_lua then
  add("spec", files("spec", "*_spec.lua"))
  add("example", files("examples", "*.lua"))
end

local function text_of(job)
  local file <close> = io.open(job.name)
  return file and file:read("a") or ""
end

local function first_lines(job)
  return text_of(job):sub(1, 1000)
end

local function has_other_methods(job)
  if os.getenv "MP_METHODS" ~= "all" then
    return first_lines(job):find("under every start method", 1, true)
  end
  local text <const> = text_of(job)
  return text:find "mp%.spawn" or text:find "mp%.Process" or text:find "mp%.Pool"
    or text:find "mp%.Manager"
end

local function add_other_methods()
  for i = 1, #jobs do
    local job <const> = jobs[i]
    if job.kind == "spec" and has_other_methods(job) then
      for _, method in ipairs { "forkserver", "spawn" } do
        jobs[#jobs + 1] = {
          kind = "spec",
          name = job.name,
          filter = job.filter,
          method = method,
        }
      end
    end
  end
end

-- All C tests are one job, by name.
local c_names, rest = {}, {}
for _, job in ipairs(jobs) do
  if job.kind == "ctest" then
    c_names[#c_names + 1] = job.name
  else
    rest[#rest + 1] = job
  end
end
if #c_names > 0 then
  local pattern = filter and "^(" .. table.concat(c_names, "|") .. ")$" or nil
  table.insert(rest, 1, { kind = "ctest", name = "ctest", filter = pattern })
end
jobs = rest

if #jobs == 0 and filter and with_lua then
  local pattern = filter:gsub("%p", "%%%0")
  for _, name in ipairs(files("spec", "*_spec.lua")) do
    jobs[#jobs + 1] = { kind = "spec", name = name, filter = pattern }
  end
end

add_other_methods()

os.execute(("rm -rf %s && mkdir -p %s"):format(quote(dir), quote(dir)))

local function runs_alone(job)
  return first_lines(job):find("runs alone", 1, true) ~= nil
end

local lua <const> = os.getenv "MP_LUA"

local function run(width, alone)
  local xargs <close> = assert(io.popen(("xargs -P %d -I {} sh -c {}"):format(width), "w"))
  for _, job in ipairs(jobs) do
    if runs_alone(job) == alone then
      local words = { lua, "tools/test/job.lua", dir, job.kind, job.name, job.method or "fork" }
      words[#words + 1] = job.filter
      for i, word in ipairs(words) do
        words[i] = quote(word)
      end
      xargs:write((table.concat(words, " "):gsub("[\\'\" ]", "\\%0")), "\n")
    end
  end
end

run(lanes, false)
run(1, true)

local passed, failed, skipped = 0, 0, 0
-- What failed before us and belongs into the same account (.ci/run).
for what in (os.getenv "MP_FAILED" or ""):gmatch("%S+") do
  failed = failed + 1
  print("failed: " .. what)
end
for _, job in ipairs(jobs) do
  local label = job.name .. (job.method and "-" .. job.method or "")
  local path = dir .. "/" .. label:gsub("[^%w_.-]", "_") .. ".count"
  local file <close> = io.open(path)
  if file then
    passed = passed + file:read("n")
    failed = failed + file:read("n")
    skipped = skipped + file:read("n")
  else
    failed = failed + 1
    print("failed: " .. job.name .. ": its runner was killed")
  end
end
if passed + failed + skipped == 0 then
  print("nothing ran" .. (filter and ": no file and no test is named '" .. filter .. "'" or ""))
end
print(("%d passed, %d failed%s"):format(
  passed, failed, skipped > 0 and (", %d skipped"):format(skipped) or ""))
os.exit(failed == 0 and passed > 0, true)
