function attack(rec)
  return package.searchers[2]("io")
end
