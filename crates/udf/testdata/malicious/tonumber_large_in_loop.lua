function attack(rec)
  local s = ("1"):rep(1e7)
  while true do tonumber(s) end
end
