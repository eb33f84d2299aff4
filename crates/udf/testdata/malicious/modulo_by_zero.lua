function attack(rec)
  return 1 % 0
end
