function attack(rec)
  while true do collectgarbage("collect") collectgarbage("step") end
end
