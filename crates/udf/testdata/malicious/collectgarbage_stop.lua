function attack(rec)
  collectgarbage("stop")
  while true do local t = { {}, {}, {} } end
end
