function attack(rec)
  setmetatable(_G, { __index = function(t, k) while true do end end })
  return undefined_global
end
