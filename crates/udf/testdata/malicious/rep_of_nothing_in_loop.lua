function attack(rec)
  while true do string.rep("", 1 << 62) end
end
