function attack(rec)
  return utf8.codepoint("\xff\xff", 1, -1)
end
