function attack(rec)
  local t = setmetatable({}, { __tostring = function() return {} end })
  return string.format("%s", t)
end
