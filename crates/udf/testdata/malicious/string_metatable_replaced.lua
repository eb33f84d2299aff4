function attack(rec)
  setmetatable("", {})
end
