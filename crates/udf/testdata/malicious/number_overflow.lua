function attack(rec)
  for i = math.maxinteger - 10, math.huge do end
  while true do end
end
