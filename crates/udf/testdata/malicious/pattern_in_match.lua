function attack(rec)
  return ("a"):rep(200):match((".-"):rep(30) .. "b") or error("no match")
end
