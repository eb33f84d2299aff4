function attack(rec)
  return require("debug").getregistry()
end
