function attack(rec)
  return assert(load(function() return " " end))()
end
