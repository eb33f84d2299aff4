function attack(rec)
  local l = list{ 1 }
  while true do list.concat(l, l) end
end
