function attack(rec)
  local meta = setmetatable({}, { __index = { __gc = function() while true do end end } })
  setmetatable({}, meta)
  collectgarbage()
  while true do end
end
