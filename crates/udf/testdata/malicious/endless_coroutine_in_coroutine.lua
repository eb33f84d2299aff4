function attack(rec)
  local function nest(n)
    if n == 0 then while true do end end
    return coroutine.resume(coroutine.create(nest), n - 1)
  end
  while true do nest(50) end
end
