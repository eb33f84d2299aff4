function attack(rec)
  while true do end
end
