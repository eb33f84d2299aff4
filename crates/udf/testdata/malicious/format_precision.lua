function attack(rec)
  return string.format("%.99999f", 1)
end
