function attack(rec)
  local guard = setmetatable({}, { __close = function() while true do end end })
  local value <close> = guard
  while true do end
end
