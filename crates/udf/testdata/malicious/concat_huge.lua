function attack(rec)
  local s = ("x"):rep(1e6)
  local t = {}
  for i = 1, 100000 do t[i] = s end
  return table.concat(t)
end
