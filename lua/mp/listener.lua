--- Sockets: mp.Listener and mp.Client, messages between processes that need not
-- be of one family, nor on one machine.

local blame = require "mp.blame"
local core = require "mp.core"
local pollable = require "mp.pollable"

local listener = {}

local Listener = { __name = "mp.Listener" }

local function check_key(key)
  if key ~= nil and (type(key) ~= "string" or key == "") then
    blame.raise("authkey must be a non-empty string")
  end
end

-- The version of IP that a family means; none is a path's.
local FAMILIES <const> = { AF_UNIX = 0, AF_INET = 4, AF_INET6 = 6 }

local function check_family(family, address)
  if type(address) == "string" and address:find "^\\\\" then
    family = "AF_PIPE" -- a name of Windows
  end
  if family == nil then
    return
  end
  if not FAMILIES[family] then
    blame.raise("family '%s' is not recognized", tostring(family))
  end
  if address ~= nil and (type(address) == "table") == (family == "AF_UNIX") then
    local what = family == "AF_UNIX" and "{host, port}" or "a path"
    blame.raise("%s is no address of family %s", what, family)
  end
end

local function check_count(options, name)
  local n = options[name]
  if n ~= nil and (not math.tointeger(n) or n < 1) then
    blame.raise(name .. " must be a positive integer")
  end
end

local OPTIONS = {
  address = true,
  family = true,
  backlog = true,
  authkey = true,
  functions = true,
  max_message = true,
}

local function check_options(options, known)
  if type(options) ~= "table" then
    blame.raise "options must be a table"
  end
  for k in pairs(options) do
    if not known[k] then
      blame.raise("invalid option '%s'", tostring(k))
    end
  end
end

--- mp.Listener { address =, family =, backlog =, authkey =, functions =,
-- max_message = }, or mp.Listener(address, authkey). A path (or nothing) is a
-- Unix socket, { host, port } TCP, which needs an authkey. A family chooses
-- when there is no address, and must fit one that there is.
function listener.listen(first, authkey)
  local o = first
  if type(first) ~= "table" or #first > 0 then
    o = { address = first, authkey = authkey }
  elseif authkey ~= nil then
    blame.raise "authkey belongs among the options"
  end
  check_options(o, OPTIONS)
  check_key(o.authkey)
  check_family(o.family, o.address)
  check_count(o, "backlog")
  check_count(o, "max_message")
  local address, folder, version = o.address, nil, FAMILIES[o.family]
  if address == nil then
    if version == 4 or version == 6 then
      address = { version == 4 and "127.0.0.1" or "::1", 0 }
    else
      local path, why, errno = core.private_path()
      if not path then
        return nil, "mp.Listener: cannot make a folder: " .. why, errno
      end
      address, folder = path, path:match "^(.*)/"
    end
  end
  if type(address) == "table" and not o.authkey then
    blame.raise("a TCP listener needs an authkey")
  end
  local handle, why, errno =
    blame.call("Listener", core.listen, address, o.authkey, o.backlog, o.functions,
      o.max_message, version)
  if not handle then
    if folder then
      os.remove(folder)
    end
    return nil, why, errno
  end
  return setmetatable({
    handle = handle,
    address = handle:address(),
    folder = folder,
    owner = core.getpid(),
  }, Listener)
end

Listener.__index = Listener

--- The next connection, or nil, "timeout". A peer that does not know the key
-- raises; one that stalls or goes while it should prove it is passed over. The
-- listener goes on.
function Listener:accept(timeout)
  blame.check_self(self, Listener, "accept")
  if not self.handle then
    blame.raise("attempt to use a closed Listener")
  end
  local conn, peer, errno = blame.call("accept", self.handle.accept, self.handle, timeout)
  if conn then
    self.last_accepted = peer
    return conn
  end
  return conn, peer, errno
end

function Listener:close()
  blame.check_self(self, Listener, "close")
  if not self.handle then
    return
  end
  self.handle:close()
  self.handle = nil
  if type(self.address) == "string" and self.owner == core.getpid() then
    os.remove(self.address)
    if self.folder then
      os.remove(self.folder)
    end
  end
end

function Listener:fileno()
  blame.check_self(self, Listener, "fileno")
  if not self.handle then
    blame.raise("attempt to use a closed Listener")
  end
  return self.handle:fileno()
end

pollable.by_descriptor(Listener, Listener.fileno)
Listener.__waitable = Listener.fileno
Listener.__close = Listener.close
Listener.__mp_pack = function()
  error("cannot send a Listener", 0)
end
Listener.__gc = Listener.close

function Listener:__tostring()
  local address = self.address
  if type(address) == "table" then
    address = address[1] .. ":" .. address[2]
  end
  return ("mp.Listener: %s (%s)"):format(address, self.handle and "open" or "closed")
end

local CLIENT_OPTIONS = { functions = true, max_message = true, timeout = true }

--- mp.Client(address [, authkey [, { functions =, max_message =, timeout = }]])
function listener.client(address, authkey, options)
  check_key(authkey)
  if options == nil then
    options = {}
  end
  check_options(options, CLIENT_OPTIONS)
  check_family(nil, address)
  check_count(options, "max_message")
  if type(address) == "table" and not authkey then
    blame.raise("a TCP connection needs an authkey")
  end
  return blame.call(
    "Client",
    core.connect,
    address,
    authkey,
    options.timeout,
    options.functions,
    options.max_message
  )
end

return listener
