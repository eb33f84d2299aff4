function attack(rec)
  local done = false
  return assert(load(function()
    if done then return nil end
    done = true
    return "\27Lua\84\0"
  end))()
end
