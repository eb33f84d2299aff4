function attack(rec)
  local top = list()
  local last = top
  for i = 1, 5000 do
    local next = list()
    list.append(last, next)
    last = next
  end
  return tostring(top)
end
