function attack(rec)
  local s = ("x"):rep(1e7)
  while true do utf8.len(s) end
end
