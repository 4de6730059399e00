-- The smallest program with mp: loads it and says which.
-- Usage: ./dev run examples/hello.lua
local mp = require "mp"

print("hello from " .. mp._VERSION)
