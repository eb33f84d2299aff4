function attack(rec)
  os.exit(1)
end
