function attack(rec)
  return string.pack("!99 i99", 1)
end
