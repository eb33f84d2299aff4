function attack(rec)
  for x in ("x"):rep(1000000):gmatch("") do end
  while true do end
end
