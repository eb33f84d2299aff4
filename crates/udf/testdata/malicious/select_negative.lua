function attack(rec)
  return select(-100, 1)
end
