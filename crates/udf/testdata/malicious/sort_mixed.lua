function attack(rec)
  table.sort({ 1, "a", {}, 2 })
end
