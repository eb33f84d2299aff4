function attack(rec)
  local l = list{ 1, 2, 3 }
  while true do tostring(l) end
end
