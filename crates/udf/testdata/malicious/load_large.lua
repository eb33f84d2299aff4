function attack(rec)
  return assert(load(("x = 1 "):rep(1000000)))()
end
