function attack(rec)
  while true do ("x"):gsub("^", "y") end
end
