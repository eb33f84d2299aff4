function attack(rec)
  return string.format(("%d"):rep(10))
end
