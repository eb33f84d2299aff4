function attack(rec)
  return io.open("/etc/passwd")
end
