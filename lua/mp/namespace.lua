--- Namespaces: a shared table whose fields read like those of an object.
--
--     local ns = manager:Namespace { count = 1 }
--     ns.count = ns.count + 1        -- seen by every process
--     ns._mine = {}                  -- stays in this one

local core = require "mp.core"
local share = require "mp.share"

local namespace = {}

local DICT <const> = {} -- behind this key lies the shared table
local OWN <const> = {} -- and behind this what stays in the process
local PID <const> = {} -- which is this one

local Namespace = { __name = "mp.Namespace" }

local function is_private(key)
  return type(key) == "string" and key:sub(1, 1) == "_"
end

-- A forked child starts with none, as any other.
local function own(self)
  if rawget(self, PID) ~= core.getpid() then
    rawset(self, PID, core.getpid())
    rawset(self, OWN, {})
  end
  return rawget(self, OWN)
end

function Namespace:__index(key)
  if is_private(key) then
    return own(self)[key]
  end
  return rawget(self, DICT)[key]
end

function Namespace:__newindex(key, value)
  if is_private(key) then
    own(self)[key] = value
  else
    share.check_key(key)
    rawget(self, DICT)[key] = value
  end
end

function Namespace:__pairs()
  return pairs(rawget(self, DICT))
end

function Namespace.__eq(a, b)
  return rawequal(rawget(a, DICT), rawget(b, DICT))
end

--- Namespace(a=1, b="x"), sorted by names.
function Namespace:__tostring()
  local parts = {}
  for key, value in pairs(rawget(self, DICT)) do
    local text = type(value) == "string" and ("%q"):format(value) or tostring(value)
    parts[#parts + 1] = ("%s=%s"):format(tostring(key), text)
  end
  table.sort(parts)
  return ("Namespace(%s)"):format(table.concat(parts, ", "))
end

function Namespace:__mp_pack()
  return { rawget(self, DICT) }
end

function Namespace.__mp_unpack(packed)
  return setmetatable({ [DICT] = packed[1] }, Namespace)
end

--- Ends this process's hold on the shared table.
function Namespace:__close()
  local dict = rawget(self, DICT)
  local close = getmetatable(dict).__close
  if close then
    close(dict)
  end
end

core.class("mp.Namespace", Namespace)

--- A namespace over a shared table, which is new.
function namespace.new(dict, fields)
  local self = setmetatable({ [DICT] = dict }, Namespace)
  for key, value in pairs(fields or {}) do
    self[key] = value
  end
  return self
end

return namespace
