function attack(rec)
  package.cpath = "/lib/?.so"
  return require("libc")
end
