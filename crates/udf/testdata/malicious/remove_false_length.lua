function attack(rec)
  local t = setmetatable({}, { __len = function() return 1 << 60 end, __index = type, __newindex = math.abs })
  table.remove(t, 1)
  error("done")
end
