function attack(rec)
  return require("io").open("/etc/passwd")
end
