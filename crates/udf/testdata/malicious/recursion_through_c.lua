function attack(rec)
  local function f(x) return string.gsub("x", "x", f) end
  return f()
end
