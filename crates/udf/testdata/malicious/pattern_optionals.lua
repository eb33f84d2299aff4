function attack(rec)
  local s = ("a"):rep(30)
  while true do s:find(("a?"):rep(30) .. s) end
end
