function attack(rec)
  local s = ("\n"):rep(1e7)
  while true do local t = string.format("%q", s) end
end
