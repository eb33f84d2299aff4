function attack(rec)
  for x in ("a"):rep(200):gmatch((".*"):rep(20) .. "b") do end
  error("no match")
end
