function attack(rec)
  local b = bytes()
  bytes.set_byte(b, 4294967295, 1)
end
