function attack(rec)
  local a, b = list(), map()
  list.append(a, b)
  b["a"] = a
  return a
end
