function attack(rec)
  return string.dump(attack)
end
