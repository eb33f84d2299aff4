function attack(rec)
  return string.char(table.unpack({}, 1, 1e8))
end
