function attack(rec)
  while true do print("x") end
end
