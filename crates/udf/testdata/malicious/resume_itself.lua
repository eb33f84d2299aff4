function attack(rec)
  local co
  co = coroutine.wrap(function() co() end)
  co()
end
