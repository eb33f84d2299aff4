function attack(rec)
  while true do
    pcall(function()
      local l = list()
      while true do list.append(l, list()) end
    end)
  end
end
