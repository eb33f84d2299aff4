function attack(rec)
  return os.getenv("PATH")
end
