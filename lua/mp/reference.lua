--- What stands for a manager's object in a message over the network: its key. An
-- agent finds the object, a client makes a proxy (mp/remote.lua).

local core = require "mp.core"

local reference = {
  HELLO = "mp-manager-1", -- how an agent begins
  SILENCE = 4, -- seconds after which a machine that says nothing is gone
}

local find -- in an agent: the object of a key
local make -- in a client: the proxy of a reference

local Reference = { __name = "mp.Reference" }

function Reference:__mp_pack()
  return { self.key, self.type, self.class }
end

function Reference.__mp_unpack(packed)
  if find then
    return find(packed[1])
  end
  return make(packed[1], packed[2], packed[3])
end

core.class("mp.Reference", Reference)

--- type: what mp.type says of the object; class: what it was made as.
function reference.new(key, type, class)
  return setmetatable({ key = key, type = type, class = class }, Reference)
end

--- This process is an agent: f(key) gives the object.
function reference.serve(f)
  find = f
end

--- This process is a client: f(key, type, class) gives the proxy.
function reference.receive(f)
  make = f
end

--- The metatables of a client's proxies, which mp/remote_object.lua completes
-- when a process first has one.
reference.classes = {}
for _, name in ipairs { "Object", "dict", "Namespace" } do
  local class = { __name = "mp.Proxy" }
  function class.__mp_unpack(packed)
    if find then
      return find(packed[1])
    end
    return require("mp.remote_object").unpack(packed)
  end
  reference.classes[name] = core.class("mp.Remote." .. name, class)
end

return reference
