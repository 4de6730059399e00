-- Document 001, example 14: a pool of five processes ten URLs.
--
-- Expected output, in any order:
--   Processing http://example.com/page0...
--   Processing http://example.com/page1...
--   Processing http://example.com/page2...
--   Processing http://example.com/page3...
--   Processing http://example.com/page4...
--   Processing http://example.com/page5...
--   Processing http://example.com/page6...
--   Processing http://example.com/page7...
--   Processing http://example.com/page8...
--   Processing http://example.com/page9...
--   Content of http://example.com/page0
--   Content of http://example.com/page1
--   Content of http://example.com/page2
--   Content of http://example.com/page3
--   Content of http://example.com/page4
--   Content of http://example.com/page5
--   Content of http://example.com/page6
--   Content of http://example.com/page7
--   Content of http://example.com/page8
--   Content of http://example.com/page9
local mp = require "mp"

-- Simulates processing a URL.
local function process_url(url)
  print(("Processing %s..."):format(url))
  mp.sleep(0.01) -- simulate the time it takes
  return "Content of " .. url
end

local function run()
  local urls = {}
  for i = 0, 9 do
    urls[#urls + 1] = ("http://example.com/page%d"):format(i)
  end

  local results
  do
    local p <close> = mp.Pool(5)
    results = p:map(process_url, urls)
  end

  for _, result in ipairs(results) do
    print(result)
  end
end

run()
