error("at the top")

function attack(rec) end
