function attack(rec)
  local m = map()
  local i = 0
  while true do
    i = i + 1
    m[i] = "some text"
  end
end
