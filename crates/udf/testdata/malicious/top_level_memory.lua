local t = {}
while true do t[#t + 1] = {} end

function attack(rec) end
