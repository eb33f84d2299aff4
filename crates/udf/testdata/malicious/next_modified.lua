function attack(rec)
  local t = {}
  for i = 1, 100 do t[i] = i end
  for k in pairs(t) do t[k .. "x"] = 1 t[k] = nil collectgarbage() end
  error("done")
end
