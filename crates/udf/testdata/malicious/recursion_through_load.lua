function attack(rec)
  local function f() return load("return ...")(f()) end
  return f()
end
