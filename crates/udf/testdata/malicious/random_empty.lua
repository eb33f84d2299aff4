function attack(rec)
  return math.random(0, -1)
end
