function attack(rec)
  os.rename("/tmp/none", "/tmp/other")
end
