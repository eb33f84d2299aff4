-- What does not compile: the clients report where and why.

function unfinished(rec)
  return 1 +
end
