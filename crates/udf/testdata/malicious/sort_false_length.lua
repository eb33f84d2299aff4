function attack(rec)
  local t = setmetatable({}, { __len = function() return (1 << 31) - 2 end, __index = type, __newindex = math.abs })
  table.sort(t)
end
