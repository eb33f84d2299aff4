function attack(rec)
  local l = list()
  l[2000000000] = 1
end
