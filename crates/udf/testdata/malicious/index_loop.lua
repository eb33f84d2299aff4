function attack(rec)
  local t = setmetatable({}, {})
  getmetatable(t).__index = t
  return t.x
end
