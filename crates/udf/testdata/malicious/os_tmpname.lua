function attack(rec)
  return os.tmpname()
end
