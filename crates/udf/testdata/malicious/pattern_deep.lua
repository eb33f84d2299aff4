function attack(rec)
  return ("x"):rep(300000):find(("(x)"):rep(250))
end
