function attack(rec)
  os.remove("/tmp/none")
end
