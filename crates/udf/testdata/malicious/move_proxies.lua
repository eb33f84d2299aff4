function attack(rec)
  local t = setmetatable({}, { __index = type, __newindex = rawequal })
  table.move(t, 1, 1 << 60, 2)
end
