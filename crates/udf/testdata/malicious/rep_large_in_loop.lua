function attack(rec)
  while true do local s = ("x"):rep(3e7) end
end
