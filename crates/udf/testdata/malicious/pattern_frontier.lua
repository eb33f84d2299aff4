function attack(rec)
  local s = ("a"):rep(100000)
  return s:find((".-%f[b]"):rep(10)) or error("not found")
end
