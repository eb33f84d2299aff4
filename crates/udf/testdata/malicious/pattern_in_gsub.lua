function attack(rec)
  ("a"):rep(200):gsub(("a-"):rep(30) .. "b", "")
  error("no match")
end
