function attack(rec)
  return assert(load(("local a "):rep(300)))()
end
