function attack(rec)
  repeat until false
end
