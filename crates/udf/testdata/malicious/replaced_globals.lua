function attack(rec)
  pcall, error, type, tostring, select, next = nil, nil, nil, nil, nil, nil
  string, table, math, coroutine, list, map = nil, nil, nil, nil, nil, nil
  while true do end
end
