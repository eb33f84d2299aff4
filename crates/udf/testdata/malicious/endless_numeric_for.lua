function attack(rec)
  for i = 1, math.huge do end
end
