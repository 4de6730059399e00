-- One measurement of mp: lua5.4 bench/lib/mp_side.lua ROW
-- Prints `value N`, `point SIZE COST` lines, or `skip WHY`; a wrong result is
-- an error.
local rows = require "bench.lib.rows"

local row <const> = rows.find(arg[1])
local mp <const> = require "mp"

for _, name in ipairs { "time", table.unpack(row.needs) } do
  if mp[name] == nil then
    print(("skip no mp.%s yet"):format(name))
    return
  end
end

local result <const> = row.mp()
if type(result) == "table" then
  for size, cost in pairs(result) do
    print(("point %d %.9g"):format(size, cost))
  end
else
  print(("value %.9g"):format(result))
end
