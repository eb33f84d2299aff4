function attack(rec)
  dofile("/etc/passwd")
end
