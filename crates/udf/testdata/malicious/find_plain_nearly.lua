function attack(rec)
  local s = ("a"):rep(3000000)
  local wanted = ("a"):rep(1000000) .. "b"
  return s:find(wanted, 1, true) or error("not found")
end
