function attack(rec)
  return debug.getregistry()
end
