function attack(rec)
  return (1 << 1e300)
end
