function attack(rec)
  local s = ("ab"):rep(100000)
  return s:find("(.*)%1%1%1x") or error("not found")
end
