function attack(rec)
  return ("x"):find(("("):rep(40) .. "x")
end
