function attack(rec)
  local x = math.mininteger // -1
  local y = math.mininteger % -1
  return x + y + nil
end
