function attack(rec)
  local s = ("x"):rep(1e7)
  return s:byte(1, -1)
end
