function attack(rec)
  local f, g
  f = function() return 1 + g() end
  g = function() return 1 + f() end
  return f()
end
