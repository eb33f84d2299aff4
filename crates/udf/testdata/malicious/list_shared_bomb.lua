function attack(rec)
  local l = list()
  for i = 1, 60 do
    local next = list()
    list.append(next, l)
    list.append(next, l)
    l = next
  end
  return tostring(l)
end
