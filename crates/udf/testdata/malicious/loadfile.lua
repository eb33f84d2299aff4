function attack(rec)
  loadfile("/etc/passwd")()
end
