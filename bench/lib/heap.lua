-- 200 MB of objects of 1 KB, as one list.
local filler <const> = ("x"):rep(970)

return function()
  local list = {}
  for i = 1, 200000 do
    list[i] = filler .. i
  end
  return list
end
