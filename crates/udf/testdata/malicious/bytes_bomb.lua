function attack(rec)
  local b = bytes()
  while true do bytes.append_string(b, ("x"):rep(100000)) end
end
