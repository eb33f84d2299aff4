function attack(rec)
  return table.concat({}, "x", 1, 1 << 40)
end
