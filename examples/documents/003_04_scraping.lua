-- Document 003, example 4: many workers, one aggregator; data through a queue,
-- what is to be said about them through a pipe that the workers share. The
-- document's seconds are milliseconds here.
--
-- Expected output, in any order:
--   Scraping google.com
--   Scraping facebook.com
--   Scraping x.com
--   Scraping github.com
--   Scraped google.com
--   Scraped facebook.com
--   Scraped x.com
--   Scraped github.com
--   ---Aggregated result---
--   google.com: Scraped data in … ms
--   facebook.com: Scraped data in … ms
--   x.com: Scraped data in … ms
--   github.com: Scraped data in … ms
--   google.com: … milliseconds
--   facebook.com: … milliseconds
--   x.com: … milliseconds
--   github.com: … milliseconds
--   Done
local mp = require "mp"

local function scrape_website(url, queue, child_conn, lock)
  print("Scraping " .. url)
  local scrape_time = math.random(1, 10)
  mp.sleep(scrape_time / 1000)
  local data = ("Scraped data in %d ms"):format(scrape_time)
  -- Only one process writes to the console.
  lock:with(function()
    print("Scraped " .. url)
  end)

  -- Send the data to the main process, and what there is to say about them.
  queue:put { url, data }
  child_conn:send { url, scrape_time }
  child_conn:close()
end

local function aggregate_data(queue, parent_conn, lock, websites)
  local results, times = {}, {}
  for i = 1, #websites do
    results[i] = queue:get()
    times[i] = parent_conn:recv()
  end

  local _ <close> = lock:hold()
  print "---Aggregated result---"
  for _, result in ipairs(results) do
    print(("%s: %s"):format(result[1], result[2]))
  end
  for _, time in ipairs(times) do
    print(("%s: %d milliseconds"):format(time[1], time[2]))
  end
end

local websites = { "google.com", "facebook.com", "x.com", "github.com" }
local queue = mp.Queue()
local parent_conn, child_conn = mp.Pipe()
local lock = mp.Lock()

local processes = {}
for _, url in ipairs(websites) do
  local p = mp.Process { target = scrape_website, args = { url, queue, child_conn, lock } }
  table.insert(processes, p)
  p:start()
end

-- Wait for all processes to finish.
for _, p in ipairs(processes) do
  p:join()
end

local aggregate_process =
  mp.Process { target = aggregate_data, args = { queue, parent_conn, lock, websites } }
aggregate_process:start()
aggregate_process:join()
print "Done"
