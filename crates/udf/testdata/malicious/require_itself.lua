function attack(rec)
  return require("require_itself_again")
end
