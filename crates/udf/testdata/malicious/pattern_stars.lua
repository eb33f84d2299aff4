function attack(rec)
  local s = ("a"):rep(100)
  return s:find(("a*"):rep(50) .. "b") or error("not found")
end
