--- mp: what Python's multiprocessing gives Python, for Lua.
--
--     local mp = require "mp"
--     local p = mp.spawn(function(name) print("hello " .. name) end, "world")
--     p:join()
--
-- This file only wires the parts together.

local chaos = require "mp.chaos"
local completed = require "mp.completed"
local context = require "mp.context"
local core = require "mp.core"
local dict = require "mp.dict"
local environment = require "mp.environment"
local default = require("mp.default").of()
local Error = require "mp.error"
local log = require "mp.log"
local list = require "mp.list"
local manager = require "mp.manager"
local pool = require "mp.pool"
local listener = require "mp.listener"
local parent = require "mp.parent"
local poll = require "mp.poll"
local process = require "mp.process"
local range = require "mp.range"
local start = require "mp.start"
local wait = require "mp.wait"

environment.check()
require "mp.job" -- while there are descriptors to read it with

local mp = {
  _VERSION = core._VERSION,

  Process = process.Process,
  spawn = process.spawn,
  current_process = process.current_process,
  parent_process = parent.parent_process,
  active_children = process.active_children,
  at_exit = process.at_exit,
  at_worker_start = process.at_worker_start,

  get_start_method = start.get_start_method,
  set_start_method = start.set_start_method,
  get_all_start_methods = start.get_all_start_methods,
  set_executable = start.set_executable,
  set_forkserver_preload = start.set_forkserver_preload,

  Pool = pool.new,
  map = default.map,
  starmap = default.starmap,
  imap = default.imap,
  imap_unordered = default.imap_unordered,
  apply = default.apply,
  each = default.each,
  reduce = default.reduce,
  as_completed = completed.as_completed,
  range = range.of,
  stop = Error.stop,

  dict = dict,
  list = list.new,

  Pipe = core.Pipe,
  Listener = listener.listen,
  Client = listener.client,
  Queue = core.Queue,
  JoinableQueue = core.JoinableQueue,
  SimpleQueue = core.SimpleQueue,
  wait = wait.wait,
  poll = poll.poll,
  getfd = core.getfd,

  Lock = core.Lock,
  RLock = core.RLock,
  Semaphore = core.Semaphore,
  BoundedSemaphore = core.BoundedSemaphore,
  Condition = core.Condition,
  Event = core.Event,
  Barrier = core.Barrier,

  Value = core.Value,
  RawValue = core.RawValue,
  Array = core.Array,
  RawArray = core.RawArray,
  Struct = core.Struct,
  SharedMemory = core.SharedMemory,
  ShareableList = core.ShareableList,
  freeze = core.freeze,

  get_logger = log.get_logger,
  log_to_stderr = log.log_to_stderr,

  dumps = core.dumps,
  loads = core.loads,
  class = core.class,

  cpu_count = core.cpu_count,
  sleep = core.sleep,
  time = core.time,
  stats = core.stats,
  chaos = chaos.new,
}

mp.Manager = manager.of(mp)
mp.get_context = context.of(mp)

--- The type of one of mp's objects ("Queue", "Process", …), or nil.
function mp.type(x)
  if Error.is(x) then
    return "Error"
  end
  return core.type(x)
end

return mp
