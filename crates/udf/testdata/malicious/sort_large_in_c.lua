function attack(rec)
  local t = {}
  for i = 1, 1000000 do t[i] = -i end
  while true do table.sort(t) table.sort(t, math.ult) end
end
