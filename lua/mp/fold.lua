--- reduce: a fold by a function that is associative, in pieces. Pieces are cut by
-- the number of items alone, so the result is the same for any number of
-- workers, rounding included.

local ranges = require "mp.range"
local Run = require "mp.run"
local worker = require "mp.worker"

local Fold = {}

local PIECES <const> = 64
local FEW <const> = 8 -- are folded in the caller

-- What workers do with a piece: with a list, or with first, step and number.

local function fold_list(f)
  return function(piece)
    local call, acc = worker.callable(f), piece[1]
    for i = 2, piece.n do
      acc = call(acc, piece[i])
    end
    return acc
  end
end

local function fold_range(f)
  return function(piece)
    local call, acc, step = worker.callable(f), piece[1], piece[2]
    local last = acc + (piece[3] - 1) * step
    for x = acc + step, last, step do
      acc = call(acc, x)
    end
    return acc
  end
end

local function cut(items, n, size)
  local pieces, count = {}, 0
  local is_range = getmetatable(items) == ranges.Range
  for first = 1, n, size do
    local length = math.min(size, n - first + 1)
    count = count + 1
    if is_range then
      pieces[count] = { items[first], items.step, length }
    else
      local piece = { n = length }
      for i = 1, length do
        piece[i] = items[first + i - 1]
      end
      pieces[count] = piece
    end
  end
  return pieces, count, is_range
end

function Fold.fold(pool, f, items, n, init, policy)
  local call = worker.callable(f)
  local options = setmetatable({ chunk = 0 }, { __index = policy })
  while n > FEW do
    local size = policy.chunk or math.max(2, (n + PIECES - 1) // PIECES)
    local pieces, count, is_range = cut(items, n, size)
    local work = (is_range and fold_range or fold_list)(f)
    local run = Run.new(pool, "reduce", work, pieces, options, 0)
    items, n = run:complete(), count
  end
  local acc, first = init, 1
  if acc == nil and n > 0 then
    acc, first = items[1], 2
  end
  for i = first, n do
    acc = call(acc, items[i])
  end
  return acc
end

return Fold
