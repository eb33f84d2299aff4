function attack(rec)
  return os.setlocale("C")
end
