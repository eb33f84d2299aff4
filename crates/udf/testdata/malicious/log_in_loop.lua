function attack(rec)
  while true do info("x %d", 1) end
end
