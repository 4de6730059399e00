-- What the tests reached of runtime/ and lua/core, as gcov counted:
--   lua5.4 tools/coverage.lua BUILD
-- lists each file's lines that nothing ran, then how much of each folder was run.
-- Tests themselves do not count. Processes that were killed wrote no counts.
local build <const> = assert(arg[1], "usage: coverage.lua BUILD")

local function lines_of(command)
  local pipe <const> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

-- file -> line -> { text, whether it ran }
local files = {}

-- gcov -t writes `count:line:text`; count is `-` for no code, ##### or ===== for
-- never. A header's lines come once for each file that includes it.
local function read(data)
  local file
  for _, line in ipairs(lines_of(("gcov -t %s 2>/dev/null"):format(quote(data)))) do
    local count <const>, number <const>, text <const> = line:match "^%s*([^:]+):%s*(%d+):(.*)$"
    if number == "0" then
      local source <const> = text:match "^Source:(.*)$"
      if source then
        local path <const> = source:match "(runtime/.*)" or source:match "(lua/core/.*)"
        local counts <const> = path and not path:find "_test%.[ch]$" and not path:find "/test%.h$"
        file = counts and (files[path] or {}) or nil
        if file then
          files[path] = file
        end
      end
    elseif file and count ~= "-" then
      local n <const> = math.tointeger(tonumber(number))
      local entry = file[n] or { text = text }
      entry.ran = entry.ran or count:find "^%d" ~= nil
      file[n] = entry
    end
  end
end

for _, data in ipairs(lines_of(("find %s -name '*.gcda' | sort"):format(quote(build)))) do
  read(data)
end

local names, folders = {}, {}
for name in pairs(files) do
  names[#names + 1] = name
end
table.sort(names)

local function percent(ran, all)
  return ("%5.1f %% of %5d lines"):format(100 * ran / math.max(all, 1), all)
end

local function add(folder, ran, all)
  local f = folders[folder]
  if not f then
    f = { name = folder, ran = 0, all = 0 }
    folders[folder] = f
    folders[#folders + 1] = f
  end
  f.ran, f.all = f.ran + ran, f.all + all
end

for _, name in ipairs(names) do
  local numbers, ran = {}, 0
  for n, entry in pairs(files[name]) do
    numbers[#numbers + 1] = n
    ran = ran + (entry.ran and 1 or 0)
  end
  table.sort(numbers)
  if ran < #numbers then
    print(("%s: %s"):format(name, percent(ran, #numbers)))
    for _, n in ipairs(numbers) do
      if not files[name][n].ran then
        print(("  %4d %s"):format(n, files[name][n].text))
      end
    end
  end
  add(name:match "^(.*)/[^/]*$", ran, #numbers)
  if name:find "^runtime/" then
    add("runtime", ran, #numbers)
  end
end

table.sort(folders, function(a, b) return a.name < b.name end)
print ""
for _, f in ipairs(folders) do
  print(("%-16s %s"):format(f.name, percent(f.ran, f.all)))
end
