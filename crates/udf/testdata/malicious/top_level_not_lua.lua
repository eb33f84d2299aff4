Lua this is no text
