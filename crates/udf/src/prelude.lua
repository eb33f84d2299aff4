-- Makes a fresh state safe, and adds what is easier said in Lua. It runs once in each state, before
-- any script, with a table of functions written in Rust. Whatever it uses later it keeps in locals:
-- a script may replace every global.
--
-- Three kinds of harm are kept out: functions that reach outside (files, processes, bytecode), code
-- that the instruction hook does not see (finalizers, message handlers, long loops in C), and
-- catching the error that ends a call whose time is over.

local native = ...
local caught_error, plain_error, log = native.caught, native.plain, native.log
local find_source, class_of, is_overdue, check = native.source, native.class_of, native.is_overdue, native.check
local scan, expand = string.scan, native.expand
local error, getmetatable_of, math_type, next_of = error, getmetatable, math.type, next
local raw_load, raw_pcall, rawget, select = load, pcall, rawget, select
local set_metatable_of, tostring, type, used_memory = setmetatable, tostring, type, collectgarbage
local byte, format, rep, sub = string.byte, string.format, string.rep, string.sub
local concat, insert, pack, remove, sort = table.concat, table.insert, table.pack, table.remove, table.sort
local unpack, os_lib = table.unpack, os
local create, close, resume = coroutine.create, coroutine.close, coroutine.resume
local list, map = list, map

local SOURCE_BYTES_MAX = 1048576
local SORTED_BY_C_MAX = 10000

string.scan, string.dump = nil, nil
dofile, loadfile = nil, nil
-- Of versions before 5.4, and not in the original's build.
math.cosh, math.frexp, math.ldexp, math.log10 = nil, nil, nil, nil
math.pow, math.sinh, math.tanh = nil, nil, nil
os = { clock = os_lib.clock, date = os_lib.date, difftime = os_lib.difftime, time = os_lib.time }

-- Calls into C that may fail: the error gets the position of whoever called the function that
-- stands in for the C function, and the name that it has for scripts.
local function settle(name, ok, ...)
  if ok then return ... end
  error(caught_error((...), name), 2)
end

-- The same where it is not the last thing that its caller does.
local function settle_within(name, ok, ...)
  if ok then return ... end
  error(caught_error((...), name), 3)
end

-- Errors.

local function caught(ok, ...)
  if ok then return true, ... end
  return false, caught_error((...))
end

local function handled(handler, ok, ...)
  if ok then return true, ... end
  return false, handler(caught_error((...)))
end

local function passed(ok, ...)
  if ok then return ... end
  error(caught_error((...)), 2)
end

function pcall(...)
  return caught(raw_pcall(...))
end

-- The handler runs when the error has been caught: where it was raised, no hook would stop it.
function xpcall(f, handler, ...)
  return handled(handler, raw_pcall(f, ...))
end

function coroutine.resume(...)
  return caught(resume(...))
end

function coroutine.wrap(f)
  local co = create(f)
  return function(...)
    return passed(resume(co, ...))
  end
end

-- Closing runs code of the script, which no hook stops in a coroutine that a hook ended.
function coroutine.close(co)
  if is_overdue() then error(caught_error("")) end
  return caught(close(co))
end

-- Metatables.

local classes = { Aerospike = {}, Bytes = {}, GeoJSON = {}, Iterator = {}, List = {}, Map = {}, Record = {} }
for name, class in next_of, classes do
  _G[name] = class
end
classes.Iterator.has_next, classes.Iterator.next = iterator.has_next, iterator.next

getmetatable_of("").__metatable = false

function getmetatable(value)
  if type(value) == "userdata" then return classes[class_of(value)] end
  return getmetatable_of(value)
end

function setmetatable(t, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
    error("finalizers are not supported", 2)
  end
  return settle("setmetatable", raw_pcall(set_metatable_of, t, meta))
end

-- Loading.

local function read_all(reader)
  local pieces, size = {}, 0
  while true do
    local piece = reader()
    if piece == nil or piece == "" then return concat(pieces) end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    size = size + #piece
    if size > SOURCE_BYTES_MAX then return nil, "chunk is too large" end
    pieces[#pieces + 1] = piece
  end
end

function load(chunk, name, mode, ...)
  local source, problem = chunk, nil
  if type(chunk) == "function" then
    source, problem = read_all(chunk)
    if source == nil then return nil, problem end
    name = name or "=(load)"
  elseif type(chunk) ~= "string" then
    error("bad argument #1 to 'load' (function expected, got " .. type(chunk) .. ")", 2)
  end
  if #source > SOURCE_BYTES_MAX then return nil, "chunk is too large" end
  if mode == "b" then return nil, "attempt to load a text chunk (mode is 'b')" end
  return raw_load(source, name or source, "t", ...)
end

local loaded = {
  _G = _G, coroutine = coroutine, math = math, os = os, string = string, table = table, utf8 = utf8,
}
package = { cpath = "", loaded = loaded, path = "", preload = {} }
local pending = {}

function require(name)
  local value = loaded[name]
  if value ~= nil then return value end
  local source, path = find_source(name)
  if source == nil then
    error("module '" .. tostring(name) .. "' not found:\n\tno field package.preload['"
      .. tostring(name) .. "']\n\tno file '" .. path .. "'", 2)
  end
  if pending[name] then error("modules require each other: '" .. name .. "'", 2) end
  local chunk, problem = raw_load(source, "@" .. path, "t")
  if chunk == nil then
    error("error loading module '" .. name .. "' from file '" .. path .. "':\n\t" .. problem, 2)
  end
  pending[name] = true
  value = chunk(name, path)
  pending[name] = nil
  if value ~= nil then loaded[name] = value end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name], path
end

-- Tables. With a metatable, the length may be whatever a script says: such loops must not be in C.

local function is_plain(t)
  return type(t) == "table" and getmetatable_of(t) == nil
end

local function check_table(t, name)
  if type(t) ~= "table" then
    error("bad argument #1 to '" .. name .. "' (table expected, got "
      .. (t == nil and "no value" or type(t)) .. ")", 3)
  end
end

function table.insert(t, ...)
  local count = select("#", ...)
  if count == 1 and type(t) == "table" then
    t[#t + 1] = (...)
    return
  end
  if type(t) ~= "table" or count ~= 2 or is_plain(t) then
    return settle("insert", raw_pcall(insert, t, ...))
  end
  local position, value = ...
  for i = #t, position, -1 do t[i + 1] = t[i] end
  t[position] = value
end

function table.remove(t, ...)
  if type(t) ~= "table" or is_plain(t) then return settle("remove", raw_pcall(remove, t, ...)) end
  local size = #t
  local position = select("#", ...) > 0 and (...) or size
  local value = t[position]
  for i = position, size - 1 do t[i] = t[i + 1] end
  if position <= size then t[size] = nil end
  return value
end

function table.concat(t, separator, from, to)
  if type(t) ~= "table" or is_plain(t) then
    return settle("concat", raw_pcall(concat, t, separator, from, to))
  end
  local pieces = {}
  for i = from or 1, to or #t do
    local piece = t[i]
    if type(piece) ~= "string" and type(piece) ~= "number" then
      error("invalid value (" .. type(piece) .. ") at index " .. i .. " in table for 'concat'", 2)
    end
    pieces[#pieces + 1] = piece
  end
  return concat(pieces, separator)
end

function table.move(from, first, last, position, into)
  into = into == nil and from or into
  check_table(from, "move")
  check_table(into, "move")
  if last < first then return into end
  if position > last or position <= first or into ~= from then
    for i = 0, last - first do into[position + i] = from[first + i] end
  else
    for i = last - first, 0, -1 do into[position + i] = from[first + i] end
  end
  return into
end

function table.sort(t, before)
  if type(t) == "table" and (#t > SORTED_BY_C_MAX or not is_plain(t)) then
    local given = before
    before = given == nil and function(a, b) return a < b end
      or type(given) == "function" and function(a, b) return given(a, b) end or given
  end
  return settle("sort", raw_pcall(sort, t, before))
end

function table.unpack(...)
  return settle("unpack", raw_pcall(unpack, ...))
end

-- Strings. `find` and `match` are in Rust.

function string.rep(text, count, separator)
  if text == "" and (separator == nil or separator == "") and math_type(count) then return "" end
  if math_type(count) and count > 4096 then check() end
  return settle("rep", raw_pcall(rep, text, count, separator))
end

for _, name in next_of, { "lower", "reverse", "upper" } do
  local change = string[name]
  string[name] = function(text)
    if type(text) == "string" and #text > 4096 then check() end
    return settle(name, raw_pcall(change, text))
  end
end

for _, name in next_of, { "codepoint", "len", "offset" } do
  local look = utf8[name]
  utf8[name] = function(text, ...)
    if type(text) == "string" and #text > 4096 then check() end
    return settle(name, raw_pcall(look, text, ...))
  end
end

local function check_string(value, number, name)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return tostring(value) end
  error("bad argument #" .. number .. " to '" .. name .. "' (string expected, got "
    .. (value == nil and "no value" or kind) .. ")", 3)
end

local function advance(state, from, to, ...)
  if from == nil then return nil end
  state.from, state.last = to, to
  return ...
end

function string.gmatch(text, pattern, init)
  text, pattern = check_string(text, 1, "gmatch"), check_string(pattern, 2, "gmatch")
  init = init or 1
  if init < 0 then init = #text + init + 1 end
  local state = { from = init < 1 and 1 or init, last = -1 }
  return function()
    return advance(state, settle_within("gmatch", raw_pcall(scan, text, pattern, false, state.from, state.last)))
  end
end

-- What takes the place of a match, and whether it differs.
local function replacement(by, kind, text, from, to, ...)
  local whole, value = sub(text, from, to - 1), nil
  if kind == "function" then
    value = by(...)
  elseif kind == "table" then
    value = by[(...)]
  else
    return expand(by, whole, ...)
  end
  if not value then return whole end
  if type(value) ~= "string" and type(value) ~= "number" then
    error("invalid replacement value (a " .. type(value) .. ")", 3)
  end
  return value
end

local function found(state, from, to, ...)
  if from == nil then return nil end
  return from, to, replacement(state.by, state.kind, state.text, from, to, ...)
end

function string.gsub(text, pattern, by, limit)
  text, pattern = check_string(text, 1, "gsub"), check_string(pattern, 2, "gsub")
  local kind = type(by)
  if kind == "number" then
    by, kind = tostring(by), "string"
  elseif kind ~= "string" and kind ~= "table" and kind ~= "function" then
    error("bad argument #3 to 'gsub' (string/function/table expected, got "
      .. (by == nil and "nil" or kind) .. ")", 2)
  end
  limit = limit == nil and #text + 1 or limit
  local is_anchored = byte(pattern) == 94
  local state = { by = by, kind = kind, text = text }
  local pieces, count, position, last = {}, 0, 1, -1
  while count < limit do
    local from, to, piece =
      found(state, settle_within("gsub", raw_pcall(scan, text, pattern, is_anchored, position, last)))
    if from == nil then break end
    if from > position then pieces[#pieces + 1] = sub(text, position, from - 1) end
    pieces[#pieces + 1] = piece
    count, position, last = count + 1, to, to
    if is_anchored then break end
  end
  if count == 0 then return text, 0 end
  pieces[#pieces + 1] = sub(text, position)
  return concat(pieces), count
end

-- The collector is not the script's business.
function collectgarbage(option, ...)
  if option == "count" then return used_memory("count") end
  if option == "isrunning" then return true end
  if option == "generational" or option == "incremental" then return "generational" end
  if option == nil or option == "collect" or option == "step" or option == "stop"
    or option == "restart" or option == "setpause" or option == "setstepmul" then
    return 0
  end
  error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')", 2)
end

-- Logging.

function trace(text, ...) log(aerospike, 4, format(text, ...)) end
function debug(text, ...) log(aerospike, 3, format(text, ...)) end
function info(text, ...) log(aerospike, 2, format(text, ...)) end
function warn(text, ...) log(aerospike, 1, format(text, ...)) end

function print(...)
  local parts = pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  log(aerospike, 2, concat(parts, "\t"))
end

-- Maps and numbers.

local pairs_of = map.pairs

function map.clone(m)
  local copy = {}
  for key, value in pairs_of(m) do copy[key] = value end
  return map(copy)
end

function map.merge(a, b, both)
  local merged = {}
  for key, value in pairs_of(a) do merged[key] = value end
  for key, value in pairs_of(b) do
    local agreed = merged[key] and type(both) == "function" and both(a[key], b[key])
    merged[key] = agreed or value
  end
  return map(merged)
end

function map.diff(a, b)
  local only = {}
  for key, value in pairs_of(a) do
    if not b[key] then only[key] = value end
  end
  for key, value in pairs_of(b) do
    if not a[key] then only[key] = value end
  end
  return map(only)
end

function math.sum(a, b) return a + b end
function math.product(a, b) return a * b end

-- Streams: a stage turns the iterator before it into another.

local clone_list, clone_map, append, iterate = list.clone, map.clone, list.append, list.iterator

local function fresh(value)
  if type(value) == "table" then
    local copy = {}
    for key, item in next_of, value do copy[key] = item end
    return copy
  elseif type(value) == "userdata" then
    local class = class_of(value)
    if class == "Map" then return clone_map(value) end
    if class == "List" then return clone_list(value) end
    return nil
  end
  return value
end

local stages = {}

function stages.filter(before, wanted)
  return function()
    for value in before do
      if wanted(value) then return value end
    end
  end
end

function stages.map(before, change)
  return function()
    local value = before()
    if value ~= nil then return change(value) end
  end
end

-- A number that has grown large is handed on, and counting starts anew.
function stages.aggregate(before, init, add)
  local is_done = false
  return function()
    if is_done then return nil end
    local sum = fresh(init)
    for value in before do
      sum = add(sum, value)
      if type(sum) == "number" and sum >= 1000 then return sum end
    end
    is_done = true
    return sum
  end
end

function stages.reduce(before, join)
  local is_done = false
  return function()
    if is_done then return nil end
    is_done = true
    local joined = before()
    if joined == nil then return nil end
    for value in before do joined = join(joined, value) end
    return joined
  end
end

local operations = {}
operations.__index = operations

for name in next_of, stages do
  operations[name] = function(self, ...)
    local ops = self.ops
    ops[#ops + 1] = { stage = name, args = pack(...) }
    return self
  end
end

function operations:groupby(key_of)
  local function add(groups, value)
    local key = key_of and key_of(value) or nil
    local group = groups[key] or list()
    append(group, value)
    groups[key] = group
    return groups
  end
  local function join_lists(a, b)
    local joined = clone_list(a)
    for value in iterate(b) do append(joined, value) end
    return joined
  end
  local function join(a, b) return map.merge(a, b, join_lists) end
  return self:aggregate(map(), add):reduce(join)
end

-- Runs what a server runs: everything up to the first reduce.
local function run_stream(f, read, write, ...)
  local stream = f(set_metatable_of({ ops = {} }, operations), ...)
  if type(stream) ~= "table" then
    error('[string "aerospike.lua"]:33: attempt to index a ' .. type(stream)
      .. " value (global 'result')", 0)
  end
  local is_done = false
  local values = function()
    if is_done then return nil end
    local value = read()
    is_done = value == nil
    return value
  end
  for i = 1, #stream.ops do
    local op = stream.ops[i]
    values = stages[op.stage](values, unpack(op.args, 1, op.args.n))
    if op.stage == "reduce" then break end
  end
  for value in values do
    if not write(value) then break end
  end
end

local function outcome(ok, value)
  if ok then return true, value end
  return false, plain_error(value)
end

return function(f, ...)
  return outcome(raw_pcall(f, ...))
end, function(f, read, write, ...)
  return outcome(raw_pcall(run_stream, f, read, write, ...))
end
