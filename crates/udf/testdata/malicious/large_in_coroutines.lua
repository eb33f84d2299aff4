function attack(rec)
  local s = ("x"):rep(1e7)
  while true do coroutine.wrap(function() local t = s:sub(2) .. s end)() end
end
