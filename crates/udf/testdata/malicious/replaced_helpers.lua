function attack(rec)
  table.unpack = nil
  table.concat = function() while true do end end
  string.rep = nil
  map.pairs = nil
  return map.merge(1, 2)
end
