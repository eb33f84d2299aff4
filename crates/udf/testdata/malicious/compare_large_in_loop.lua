function attack(rec)
  local s = ("1"):rep(1e7)
  local a, b = s .. "a", s .. "b"
  while true do local c = a < b end
end
