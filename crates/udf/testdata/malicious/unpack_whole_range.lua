function attack(rec)
  return table.unpack({}, math.mininteger, math.maxinteger)
end
