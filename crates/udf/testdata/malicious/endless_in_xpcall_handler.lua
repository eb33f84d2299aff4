function attack(rec)
  xpcall(error, function() while true do end end)
end
