function attack(rec)
  local l = list()
  list.insert(l, 1 << 62, 1)
end
