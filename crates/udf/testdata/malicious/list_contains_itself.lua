function attack(rec)
  local l = list()
  list.append(l, l)
end
