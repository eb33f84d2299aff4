function attack(rec)
  local s = ("("):rep(1000000)
  return s:find("%b()") or error("not found")
end
