function attack(rec)
  return string.pack("c1000000000", "x")
end
