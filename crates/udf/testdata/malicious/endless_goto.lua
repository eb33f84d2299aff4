function attack(rec)
  ::again::
  goto again
end
