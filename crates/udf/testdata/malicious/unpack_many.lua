function attack(rec)
  return table.unpack({}, 1, 1 << 30)
end
