while true do end

function attack(rec) end
