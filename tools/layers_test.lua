-- The layer check's own test: small trees with and without a violation.
local here <const> = arg[0]:match("^(.*/)") or ""
local root <const> = os.tmpname()
os.remove(root)

local function sh(command)
  return os.execute(command)
end

local function check(files)
  sh(("rm -rf %s"):format(root))
  for path, text in pairs(files) do
    sh(("mkdir -p %s/%s"):format(root, path:match("^(.*)/")))
    local file <close> = assert(io.open(root .. "/" .. path, "w"))
    file:write(text)
  end
  local command = ("%s %slayers.lua %s"):format(arg[-1], here, root)
  local pipe = assert(io.popen(command))
  local out = pipe:read("a")
  return pipe:close() == true, out
end

local tree <const> = {
  ["runtime/mpr.h"] = "",
  ["runtime/base/err.h"] = "",
  ["runtime/sync/lock.h"] = '#include "base/err.h"\n',
  ["runtime/serve/pool.h"] = '#include <stdint.h>\n#include "sync/lock.h"\n#include "mpr.h"\n',
  ["runtime/init.c"] = '#include "serve/pool.h"\n#include "base/err.h"\n',
  ["lua/core/arg.h"] = "",
  ["lua/core/arg.c"] = '#include "arg.h"\n#include "mpr.h"\n#include <lua.h>\n',
}

local cases <const> = {
  { "runtime/base/err.c", '\n#include "sync/lock.h"\n', "runtime/base/err.c:2:" },
  { "runtime/base/err.c", '# include  "../sync/lock.h"\n', "runtime/base/err.c:1:" },
  { "runtime/sync/lock.c", "#include <serve/pool.h>\n", "runtime/sync/lock.c:1:" },
  { "runtime/sync/lock.c", "#include <lua.h>\n", "no Lua in it" },
  { "runtime/sync/lock.c", '#include "../../lua/core/arg.h"\n', "nothing of lua/" },
  { "runtime/extra/x.c", '#include "base/err.h"\n', "no place in the layers" },
  { "lua/core/value.c", '#include "base/err.h"\n', "uses only mpr.h" },
  { "lua/core/value.c", '#include "../../runtime/sync/lock.h"\n', "uses only mpr.h" },
}

local ok, out = check(tree)
assert(ok, "a sound tree is refused:\n" .. out)
for i, case in ipairs(cases) do
  local files = { [case[1]] = case[2] }
  for path, text in pairs(tree) do
    files[path] = files[path] or text
  end
  ok, out = check(files)
  assert(not ok, ("case %d passes"):format(i))
  assert(out:find(case[3], 1, true), ("case %d says:\n%s"):format(i, out))
  assert(out:find("1 violations", 1, true), out)
end
assert(not check({ ["docs/x.md"] = "" }), "a tree without sources passes")
sh(("rm -rf %s"):format(root))
print(("%d cases"):format(#cases + 2))
