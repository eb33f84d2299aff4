function attack(rec)
  local t = {}
  while true do
    local b = bytes()
    bytes.append_string(b, ("x"):rep(10000))
    t[#t + 1] = b
  end
end
