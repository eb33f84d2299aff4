function attack(rec)
  local f = coroutine.wrap(function()
    local value <close> = setmetatable({}, { __close = function() while true do end end })
    while true do end
  end)
  f()
end
