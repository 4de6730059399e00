-- Bar charts as SVG.
local svg = {}

local row_height <const> = 24
local letter_width <const> = 7.2 -- of the text's size, generously
local value_width <const> = 70
local bar_width <const> = 420
local top <const> = 64

local function escape(s)
  return (s:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function text(x, y, s, attributes)
  return ('<text x="%.0f" y="%.0f"%s>%s</text>'):format(
    x, y, attributes and " " .. attributes or "", escape(s))
end

local function ticks(scale)
  local list = {}
  if scale.log then
    for power = math.ceil(math.log(scale.low, 10)), math.floor(math.log(scale.high, 10)) do
      list[#list + 1] = 10.0 ^ power
    end
  else
    local step <const> = 10 ^ math.floor(math.log(scale.high, 10))
    for i = 0, scale.high // step do
      list[#list + 1] = i * step
    end
  end
  return list
end

-- The place of a value along the axis, 0 to bar_width.
local function place(scale, value)
  if scale.log then
    local span <const> = math.log(scale.high / scale.low)
    value = math.max(scale.low, math.min(scale.high, value))
    return math.log(value / scale.low) / span * bar_width
  end
  return value / scale.high * bar_width
end

local function scale_of(chart)
  local low, high = chart.origin, chart.origin
  for _, bar in ipairs(chart.bars) do
    low, high = math.min(low, bar.value), math.max(high, bar.value)
  end
  if chart.log then
    return {
      log = true,
      low = low >= 0.5 and 0.5 or 10.0 ^ math.floor(math.log(low, 10) + 1e-9),
      high = 10.0 ^ math.ceil(math.log(high, 10) - 1e-9),
    }
  end
  return { low = 0, high = high * 1.05 }
end

-- chart: title, note, bars = list of {label, value, shown, good}, log, origin
-- (where bars begin: 1 for ratios, 0 otherwise). `shown` stands behind the bar.
function svg.bars(chart)
  local scale <const> = scale_of(chart)
  local label_width = 100
  for _, bar in ipairs(chart.bars) do
    label_width = math.max(label_width, utf8.len(bar.label) * letter_width // 1 + 24)
  end
  local width <const> = label_width + bar_width + value_width
  local height <const> = top + row_height * #chart.bars + 30
  local bottom <const> = height - 26
  local out = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f"'):format(width, height)
      .. (' viewBox="0 0 %.0f %.0f"'):format(width, height)
      .. ' font-family="Helvetica, Arial, sans-serif" font-size="13">',
    ("<title>%s</title>"):format(escape(chart.title)),
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    text(14, 24, chart.title, 'font-size="16" font-weight="bold" fill="#1f2328"'),
    text(14, 44, chart.note, 'fill="#59636e"'),
  }
  local function add(line)
    out[#out + 1] = line
  end

  for _, tick in ipairs(ticks(scale)) do
    local x <const> = label_width + place(scale, tick)
    add(('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>'):format(
      x, top - 8, x, bottom, tick == chart.origin and "#59636e" or "#d1d9e0"))
    add(text(x, bottom + 16, ("%g ×"):format(tick),
      'text-anchor="middle" font-size="11" fill="#59636e"'))
  end
  local zero <const> = place(scale, chart.origin)
  for i, bar in ipairs(chart.bars) do
    local y <const> = top + (i - 1) * row_height
    local to <const> = place(scale, bar.value)
    local left <const> = label_width + math.min(zero, to)
    add(text(label_width - 10, y + 13, bar.label, 'text-anchor="end" fill="#1f2328"'))
    local length <const> = math.max(1, math.abs(to - zero))
    add(('<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>'):format(
      left, y, length, row_height - 7, bar.good and "#2a78d6" or "#c4561e"))
    add(text(label_width + math.max(zero, to) + 6, y + 13, bar.shown, 'fill="#1f2328"'))
  end
  add("</svg>")
  return table.concat(out, "\n") .. "\n"
end

return svg
