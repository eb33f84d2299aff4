function attack(rec)
  local function f() local ok, e = pcall(f) error(e) end
  f()
end
