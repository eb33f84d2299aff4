function attack(rec)
  local l = list{ 1 }
  for v in list.iterator(l) do list.append(l, v) end
end
