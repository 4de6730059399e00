-- Document 004, example 5 (5_adv_pipe.py): one process sends, another receives.
--
-- Expected output:
--   received Hello
--   received World
--   received From
--   received Multiprocessing
local mp = require "mp"

local function sender(conn, data)
  for _, item in ipairs(data) do
    conn:send(item)
    mp.sleep(0.001)
  end
  conn:send "DONE"
  conn:close()
end

local function receiver(conn)
  while true do
    local msg = conn:recv()
    if msg == "DONE" then
      break
    end
    print("received " .. msg)
  end
  conn:close()
end

local parent_conn, child_conn = mp.Pipe()
local data = { "Hello", "World", "From", "Multiprocessing" }
local sender_process = mp.Process { target = sender, args = { parent_conn, data } }
local receiver_process = mp.Process { target = receiver, args = { child_conn } }
sender_process:start()
receiver_process:start()
sender_process:join()
receiver_process:join()
