function attack(rec)
  local code = "\27Lua" .. ("\0"):rep(100)
  return assert(load(code))()
end
