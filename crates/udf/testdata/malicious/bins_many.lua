function attack(rec)
  for i = 1, 1e9 do rec["b" .. i] = i end
end
