function attack(rec)
  setmetatable({}, { __gc = function() while true do end end })
  collectgarbage()
  for i = 1, 1e6 do local t = { i } end
end
