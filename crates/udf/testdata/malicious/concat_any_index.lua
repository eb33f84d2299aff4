function attack(rec)
  local t = setmetatable({}, { __index = type })
  return table.concat(t, "", 1, 1 << 40)
end
