function attack(rec)
  local t = setmetatable({}, { __mode = "k" })
  while true do local k = {} t[k] = { k, t } end
end
