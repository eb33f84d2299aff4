function attack(rec)
  local function f() return f() end
  return f()
end
