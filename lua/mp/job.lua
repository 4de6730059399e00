--- What a child is told that has nothing of its creator's memory: the creator's
-- side of mp.childhood.

local family = require "mp.family"
local fields = require "mp.process_fields"
local process = require "mp.process"
local start = require "mp.start"

local job = {}

--- What is to be done for a Process object.
function job.of(self)
  local s = rawget(self, fields.STATE)
  local class = getmetatable(self).class
  local what = {
    name = s.name,
    path = s.path,
    daemon = s.daemon,
    at_start = family.at_start,
    target = s.target,
    args = s.args,
    parent = family.here.name,
    method = s.method or start.get_start_method(),
  }
  -- An object that is nothing but a Process is made when somebody asks for it.
  local extended = class ~= process.Process
  if extended or next(self, next(self)) ~= nil then
    what.members = extended and process.members_of(class) or nil
    what.fields = {}
    for k, v in next, self do
      if k ~= fields.STATE then
        what.fields[k] = v
      end
    end
  end
  return what
end

--- In the child: makes the object again.
function job.make_object(s, what)
  local class = what.members and process.Process:extend(what.members) or process.Process
  local self = fields.wrap(s, class)
  for k, v in pairs(what.fields) do
    rawset(self, k, v)
  end
end

return job
