-- What objects do, one operation after the other: see checker.lua.
local models = {}

--- One key of a dict. nil is stored as false.
--   set(v) · remove() · incr(n) -> new · get() -> value · insert(v) -> what is
--   there afterwards
models.key = {
  init = false,
  key = tostring,
  step = function(state, o)
    local after, result = state, nil
    if o.op == "set" then
      after = o.arg
    elseif o.op == "remove" then
      after = false
    elseif o.op == "incr" then
      after = (state or 0) + o.arg
      result = after
    elseif o.op == "get" then
      result = state
    elseif o.op == "insert" then
      after = state or o.arg
      result = after
    end
    if not o.ret or result == nil or result == o.result then
      return after
    end
  end,
}

--- A queue. put(v) -> whether it was taken in · get() -> value, or false: it
-- was empty. The state is what lies in it, as text.
local function queue(bound)
  return {
    init = "",
    key = function(state) return state end,
    step = function(state, o)
      local first = state:match "^%d+"
      if o.op == "put" then
        local _, n = state:gsub("%d+", "")
        local room = n < bound
        if o.ret and o.result ~= room then
          return nil
        end
        return room and state .. o.arg .. " " or state
      end
      local got = math.tointeger(tonumber(first)) or false
      if o.ret and o.result ~= got then
        return nil
      end
      return first and state:sub(#first + 2) or state
    end,
  }
end

models.queue = queue

--- A lock. try() -> 1 got it, 2 got it and was told that its owner had died,
-- 0 another has it · release(). The state is the owner's number, 0 for none.
-- died: the set of processes that were killed.
function models.lock(died)
  return {
    init = 0,
    key = tostring,
    step = function(owner, o, p)
      if o.op == "release" then
        return owner == p and 0 or nil
      end
      local result = owner == 0 and 1 or died[owner] and 2 or 0
      if not o.ret then
        return result == 0 and owner or p
      elseif o.result == result then
        return result == 0 and owner or p
      elseif o.result == 0 and died[owner] then
        return owner -- it was not dead yet
      end
    end,
  }
end

return models
