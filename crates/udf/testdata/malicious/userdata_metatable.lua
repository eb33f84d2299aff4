function attack(rec)
  getmetatable(aerospike).__index = nil
  getmetatable(rec).__gc = function() end
  setmetatable(rec, {})
end
