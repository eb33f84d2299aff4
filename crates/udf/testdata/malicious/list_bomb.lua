function attack(rec)
  local l = list()
  while true do list.append(l, "some text") end
end
