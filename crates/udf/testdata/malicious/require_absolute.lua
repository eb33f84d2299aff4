function attack(rec)
  return require("/etc/passwd")
end
