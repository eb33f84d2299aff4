function attack(rec)
  return ("x"):gsub("x", "%2")
end
