--- What a program that was started for a process does: it takes its order and
-- never returns.

local childhood = require "mp.childhood"
local core = require "mp.core"

local handle, why = core.adopt()
if not handle then
  io.stderr:write("mp: cannot join the family: ", tostring(why), "\n")
  os.exit(255)
end

local order = childhood.take_order(handle)
rawset(_G, "arg", order.arg)
package.path, package.cpath = order.package_path, order.package_cpath
if order.log then
  require("mp.log").take(order.log)
end
if order.forkserver then
  require("mp.forkserver").serve(order)
end
childhood.begin_job(handle, order)
