function attack(rec)
  return package.loadlib("libc.so.6", "system")
end
