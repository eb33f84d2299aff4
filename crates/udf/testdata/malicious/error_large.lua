function attack(rec)
  error(("x"):rep(3e7), 0)
end
