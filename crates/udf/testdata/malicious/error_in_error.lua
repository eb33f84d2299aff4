function attack(rec)
  local t = setmetatable({}, { __index = function(t, k) error(t) end })
  return t.x
end
