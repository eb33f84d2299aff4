function attack(rec)
  coroutine.yield(1)
end
