function attack(rec)
  setmetatable(list(), { __index = function() while true do end end })
end
