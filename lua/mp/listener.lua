--- Sockets: mp.Listener and mp.Client, messages between processes that need not
-- be of one family, nor on one machine.

local core = require "mp.core"
local pollable = require "mp.pollable"

local listener = {}

local Listener = { __name = "mp.Listener" }

local function check_key(key, level)
  if key ~= nil and (type(key) ~= "string" or key == "") then
    error("authkey must be a non-empty string", level + 1)
  end
end

-- The version of IP that a family means; none is a path's.
local FAMILIES <const> = { AF_UNIX = 0, AF_INET = 4, AF_INET6 = 6 }

local function check_family(family, address, level)
  if type(address) == "string" and address:find "^\\\\" then
    family = "AF_PIPE" -- a name of Windows
  end
  if family == nil then
    return
  end
  if not FAMILIES[family] then
    error(("family '%s' is not recognized"):format(tostring(family)), level + 1)
  end
  if address ~= nil and (type(address) == "table") == (family == "AF_UNIX") then
    local what = family == "AF_UNIX" and "{host, port}" or "a path"
    error(("%s is no address of family %s"):format(what, family), level + 1)
  end
end

local function check_count(options, name, level)
  local n = options[name]
  if n ~= nil and (not math.tointeger(n) or n < 1) then
    error(name .. " must be a positive integer", level + 1)
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

local function check_options(options, known, level)
  for k in pairs(options) do
    if not known[k] then
      error(("invalid option '%s'"):format(tostring(k)), level + 1)
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
    error("authkey belongs among the options", 2)
  end
  check_options(o, OPTIONS, 2)
  check_key(o.authkey, 2)
  check_family(o.family, o.address, 2)
  check_count(o, "backlog", 2)
  check_count(o, "max_message", 2)
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
    error("a TCP listener needs an authkey", 2)
  end
  local handle, why, errno =
    core.listen(address, o.authkey, o.backlog, o.functions, o.max_message, version)
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
  if not self.handle then
    error("attempt to use a closed Listener", 2)
  end
  local conn, peer, errno = self.handle:accept(timeout)
  if conn then
    self.last_accepted = peer
    return conn
  end
  return conn, peer, errno
end

function Listener:close()
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
  if not self.handle then
    error("attempt to use a closed Listener", 2)
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
  check_key(authkey, 2)
  if options ~= nil and type(options) ~= "table" then
    error("options must be a table", 2)
  end
  options = options or {}
  check_options(options, CLIENT_OPTIONS, 2)
  check_family(nil, address, 2)
  check_count(options, "max_message", 2)
  if type(address) == "table" and not authkey then
    error("a TCP connection needs an authkey", 2)
  end
  return core.connect(
    address,
    authkey,
    options.timeout,
    options.functions,
    options.max_message
  )
end

return listener
