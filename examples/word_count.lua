-- The most frequent words of a file of any size. Each task reads its own part of
-- the file, so the text itself travels nowhere: only counts come back, and are
-- added while other parts are still being read.
--
-- Usage: ./dev run examples/word_count.lua [FILE [WORDS]]
--        without a file: a text of 16 MB that it makes and removes
--
-- Measured with that text on 2 CPUs: 4.31 s in a loop, 2.24 s in the pool, 1.92
-- times faster.
local mp = require "mp"

local part <const> = 1 << 20 -- bytes

-- The words that begin in [first, first + part) of the file.
local function count_words(path, first)
  local file <close> = assert(io.open(path, "rb"))
  -- A word that began before belongs to the part before.
  local skip = false
  if first > 0 then
    file:seek("set", first - 1)
    skip = file:read(1):match "%a" ~= nil
  end
  local text = file:read(part) or ""
  -- The last word may go on in the next part.
  local more = text:match "%a$" and file:read(1)
  while more and more:match "%a" do
    text = text .. more
    more = file:read(1)
  end
  local counts = {}
  for found in text:gmatch(skip and "%f[%a]%a+" or "%a+") do
    local word = found:lower()
    counts[word] = (counts[word] or 0) + 1
  end
  if skip then -- its end stands at the begin
    local rest = text:match "^%a+"
    if rest then
      rest = rest:lower()
      counts[rest] = counts[rest] - 1
    end
  end
  return counts
end

local function add(total, counts)
  for word, n in pairs(counts) do
    total[word] = (total[word] or 0) + n
  end
end

local function size_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:seek "end"
end

-- Something to read: words with the frequencies of a language.
local function make_text(bytes)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  local words = {}
  math.randomseed(1)
  for i = 1, 5000 do
    local letters = {}
    for k = 1, math.random(2, 9) do
      letters[k] = string.char(math.random(97, 122))
    end
    words[i] = table.concat(letters)
  end
  local written = 0
  while written < bytes do
    local line = {}
    for k = 1, 12 do
      line[k] = words[(math.random() ^ 3 * 5000) // 1 + 1 | 0]
    end
    local text = table.concat(line, " ") .. ".\n"
    file:write(text)
    written = written + #text
  end
  return path
end

local function timed(f, ...)
  local start = mp.time()
  return f(...), mp.time() - start
end

local function in_a_loop(path)
  local total = {}
  for first = 0, size_of(path) - 1, part do
    add(total, count_words(path, first))
  end
  return total
end

local function in_a_pool(path)
  local total = {}
  local pool <close> = mp.Pool()
  local parts = mp.range(0, size_of(path) - 1, part)
  local function count(first)
    return count_words(path, first)
  end
  for _, counts in pool:imap_unordered(count, parts) do
    add(total, counts)
  end
  return total
end

local path = arg and arg[1]
local shown = math.tointeger(tonumber(arg and arg[2])) or 10
local made = not path and make_text(16 << 20)
path = path or made

local expected, loop = timed(in_a_loop, path)
local total, pool = timed(in_a_pool, path)
if made then
  os.remove(made)
end

local words = {}
for word, n in pairs(total) do
  assert(expected[word] == n)
  if n > 0 then
    words[#words + 1] = word
  end
end
table.sort(words, function(a, b)
  return total[a] > total[b] or total[a] == total[b] and a < b
end)
for i = 1, math.min(shown, #words) do
  print(("%8d %s"):format(total[words[i]], words[i]))
end
print(("loop %.2f s, pool %.2f s: %.2f times faster"):format(loop, pool, loop / pool))
