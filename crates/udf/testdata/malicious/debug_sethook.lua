function attack(rec)
  debug.sethook()
  while true do end
end
