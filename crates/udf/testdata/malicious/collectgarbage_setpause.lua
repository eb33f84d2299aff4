function attack(rec)
  collectgarbage("setpause", 1000000)
  collectgarbage("setstepmul", 0)
  while true do local t = { {}, {} } end
end
