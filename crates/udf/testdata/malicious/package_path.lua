function attack(rec)
  package.path = "/etc/?"
  return require("passwd")
end
