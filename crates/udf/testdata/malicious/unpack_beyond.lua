function attack(rec)
  return string.unpack("z", "never ends")
end
