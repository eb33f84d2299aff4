function attack(rec)
  return ("").rep("", math.maxinteger) .. ("").rep("", 1e18, nil) .. error("done")
end
