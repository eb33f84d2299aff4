function attack(rec)
  return io.popen("true")
end
