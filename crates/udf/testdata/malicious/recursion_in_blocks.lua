function attack(rec)
  return assert(load(("do "):rep(200000)))()
end
