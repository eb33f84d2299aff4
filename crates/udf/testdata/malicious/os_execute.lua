function attack(rec)
  return os.execute("true")
end
