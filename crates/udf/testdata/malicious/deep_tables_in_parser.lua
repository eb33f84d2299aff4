function attack(rec)
  return assert(load("return " .. ("{"):rep(300000)))()
end
