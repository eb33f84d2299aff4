function attack(rec)
  return utf8.char(table.unpack({}, 1, 1e7))
end
