require("top_level_require_itself")

function attack(rec) end
