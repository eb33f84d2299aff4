function attack(rec)
  local t = setmetatable({}, { __len = function() return 1 << 60 end, __index = type })
  return table.concat(t)
end
