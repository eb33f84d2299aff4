function attack(rec)
  return package.loaded.io.open("/etc/passwd")
end
