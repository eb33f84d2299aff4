function attack(rec)
  local source = "return " .. ("("):rep(100000) .. "1" .. (")"):rep(100000)
  return assert(load(source))()
end
