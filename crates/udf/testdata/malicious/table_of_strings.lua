function attack(rec)
  local t = {}
  for i = 1, math.huge do t[i] = ("x"):rep(1000) .. i end
end
