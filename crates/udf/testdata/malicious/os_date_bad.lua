function attack(rec)
  return os.date("%Ez%Q")
end
