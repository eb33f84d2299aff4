function attack(rec)
  local t = {}
  while true do t[#t + 1] = geojson(("x"):rep(10000)) end
end
