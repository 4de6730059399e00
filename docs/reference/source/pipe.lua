--- # Pipes and sockets
---
--- ```lua
--- local mp = require "mp"
---
--- local here, there = mp.Pipe()
--- local p = mp.spawn(function()
---   for word in there:messages() do
---     there:send(word:upper())
---   end
--- end)
--- there:close()
--- here:send "ping"
--- assert(here:recv() == "PING")
--- here:close()
--- p:join()
--- ```

--- Two connected ends. With `false` the first one only receives, the second one only sends.
---@param duplex? boolean
---@return mp.Connection first
---@return mp.Connection second
function mp.Pipe(duplex) end

---@class mp.Connection
--- One end of a pipe, or of a socket. Leaving its scope closes it.
---@field closed boolean
---@field readable boolean whether it receives
---@field writable boolean whether it sends
local connection = {}

--- Sends a value. `nil, "closed"` when nobody has the other end any more.
---@param value any
---@param timeout? number
---@return true|nil done
---@return string? why
function connection:send(value, timeout) end

--- The next value. `nil, "closed"` when nobody has the other end and nothing is left.
---@param timeout? number
---@return any value
---@return string? why
function connection:recv(timeout) end

--- Sends bytes `i` to `j` of a string as they are.
---@param bytes string
---@param i? integer
---@param j? integer
---@return true|nil done
---@return string? why
function connection:send_bytes(bytes, i, j) end

--- The next message of bytes. One longer than `max` raises, and stays; an encrypted connection is of no more use then.
---@param max? integer
---@return string? bytes
---@return string? why
function connection:recv_bytes(max) end

--- Whether a message, or the end, is there; waits so long for it. Without an argument it does not wait.
---@param timeout? number
---@return boolean ready
function connection:poll(timeout) end

--- Iterates until the other end is closed, or a nil comes.
---@return fun(): any iterator
function connection:messages() end

--- Ends this process's use of it.
function connection:close() end

--- The descriptor of a socket.
---@return integer fd
function connection:fileno() end

--- A descriptor that becomes readable when a message may be there.
---@return integer fd
function connection:pollfd() end

--- What `pollfd` is to be asked for: `"r"`. Pipes only.
---@return string events
function connection:events() end

--- 0 when a message is there, otherwise nil. Pipes only.
---@return integer? seconds
function connection:timeout() end

--- The same as `pollfd`.
---@return integer fd
function connection:getfd() end

--- Whether a message is there. Pipes only.
---@return boolean ready
function connection:dirty() end

--- ## Sockets
---
--- Between programs that need not be of one family, nor on one machine. Both sides prove that they know the key,
--- which is never sent; what goes over TCP is encrypted (with libsodium, which must be there).
---
--- ```lua
--- local mp = require "mp"
---
--- local listener <close> = mp.Listener { authkey = "secret" }
--- local p = mp.spawn(function(address)
---   local conn <close> = mp.Client(address, "secret")
---   conn:send { "hello", 1 }
--- end, listener.address)
--- local conn <close> = listener:accept()
--- assert(conn:recv()[1] == "hello")
--- p:join()
--- ```

--- Listens. `mp.Listener(address, authkey)` is the short form.
---@param options? mp.ListenerOptions
---@return mp.Listener? listener
---@return string? why
---@return integer? errno
---@overload fun(address: string|table, authkey?: string): mp.Listener
function mp.Listener(options) end

---@class mp.ListenerOptions
---@field address? string|{[1]: string, [2]: integer} a path (Unix), or host and port (TCP), port 0 for any; a private path if left out
---@field family? "AF_UNIX"|"AF_INET"|"AF_INET6" what is made when there is no address; one that there is must fit it
---@field authkey? string what peers must know; needed for TCP
---@field backlog? integer how many may wait to be accepted
---@field functions? boolean whether functions are accepted from peers; false if left out
---@field max_message? integer bytes that a message may have

---@class mp.Listener : mp.Waitable
---@field address string|{[1]: string, [2]: integer} where it listens
---@field last_accepted any the address of the last peer
local listener = {}

--- The next connection. A peer that does not know the key raises; one that goes, or stalls for 5 seconds, before it
--- proved that it does is passed over. The listener goes on.
---@param timeout? number
---@return mp.Connection? connection
---@return string? why
---@return integer? errno
function listener:accept(timeout) end

--- Stops listening and removes a path it made.
function listener:close() end

--- Its descriptor.
---@return integer fd
function listener:fileno() end

--- Connects to a listener. Connections over TCP, on both sides, also have `keepalive(seconds)`: a peer whose machine says
--- nothing for so long (2 or more) counts as gone.
---@param address string|{[1]: string, [2]: integer}
---@param authkey? string
---@param options? mp.ClientOptions
---@return mp.Connection? connection
---@return string? why
---@return integer? errno
function mp.Client(address, authkey, options) end

---@class mp.ClientOptions
---@field timeout? number seconds for connecting and proving; 10 for proving if left out
---@field functions? boolean whether functions are accepted from the peer; false if left out
---@field max_message? integer bytes that a message may have
