function attack(rec)
  local meta = {}
  rawset(meta, "__gc", function() while true do end end)
  setmetatable({}, meta)
end
