-- The functions that the checks of all clients call. Clients that reduce the results of an
-- aggregation themselves load this file, too, each into a Lua of its own.

function echo(rec, value) return value end

function bytes_of(rec, text)
  local made = bytes()
  bytes.append_string(made, text)
  return made
end

function described(rec)
  local found = map()
  found.n = rec.n
  found.names = list{'n', 'group'}
  return found
end

-- Adds to a bin of the record, which it creates if need be.
function add(rec, name, amount)
  rec[name] = (rec[name] or 0) + amount
  if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
  return rec[name]
end

function remove(rec) return aerospike:remove(rec) end

function fail(rec) error('on purpose') end

function loop(rec) while true do end end

local function numbers(rec) return rec.n end
local function add_up(a, b) return a + b end

function total(stream) return stream : map(numbers) : reduce(add_up) end

local function count_by(counts, rec)
  counts[rec.group] = (counts[rec.group] or 0) + 1
  return counts
end

local function merged(a, b) return map.merge(a, b, add_up) end

function groups(stream) return stream : aggregate(map(), count_by) : reduce(merged) end

function large(stream, limit)
  local function is_large(rec) return rec.n >= limit end
  return stream : filter(is_large) : map(numbers)
end

function broken(stream) return stream : map(fail) end
