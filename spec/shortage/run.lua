-- Does every piece of work, first in peace, then again and again with the nth
-- demand for memory refused, n = 1, 2, … until the work asks no more often. Each
-- time it must end well, or with an error that says what is missing; afterwards
-- the work must go as before, and in the end nothing may be left.
--   lua5.4 spec/shortage/run.lua arena|once|after
local core = require "mp.core"
local mp = require "mp"
local work = require "spec.shortage.work"

local kind <const> = arg[1]
local shortage <const> = kind ~= "arena" and require "shortage"

local function begin(n)
  if shortage then
    shortage[kind](n)
  else
    core.testpoint("*", n, 0)
  end
end

-- Whether it came.
local function finish()
  if shortage then
    return shortage.over()
  end
  return not core.testpoint()
end

local function what_is_there()
  mp.sleep(0.05) -- a worker lets go of its last job when it has waited a little
  for _ = 1, 3 do
    collectgarbage()
  end
  local stats <const> = mp.stats()
  local list = { ("holds %d, descriptors %d"):format(stats.holds, stats.descriptors) }
  for k, n in pairs(stats.objects) do
    if k ~= "code" then
      list[#list + 1] = ("%s %d"):format(k, n)
    end
  end
  table.sort(list)
  return table.concat(list, ", ")
end

local MEANS <const> = { "no memory", "not enough memory", "cannot allocate" }

local function is_clear(err)
  local text <const> = tostring(err):lower()
  for _, words in ipairs(MEANS) do
    if text:find(words, 1, true) then
      return true
    end
  end
  return false
end

local total = 0
for _, piece in ipairs(work) do
  local with <const> = piece.prepare()
  piece.run(with)
  local before <const> = what_is_there()
  local n, clear = 0, 0
  repeat
    n = n + 1
    begin(n)
    local ok <const>, err <const> = pcall(piece.run, with)
    local came <const> = finish()
    if not ok then
      assert(came, ("%s, %d: %s"):format(piece.name, n, err))
      assert(is_clear(err), ("%s, %d: an unclear error: %s"):format(piece.name, n, err))
      clear = clear + 1
      piece.mend(with)
    end
  until not came
  piece.run(with)
  local after <const> = what_is_there()
  if before ~= after then
    error(("%s left something behind:\n  %s\n  %s"):format(piece.name, before, after))
  end
  assert(core.check() == 0, piece.name .. ": the arena is damaged")
  print(("%s: short %d times, %d errors"):format(piece.name, n - 1, clear))
  total = total + n - 1
end
print(("%d shortages"):format(total))
