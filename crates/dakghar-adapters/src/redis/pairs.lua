-- The lines of messages to one person: the same steps as `LinesOfNumber` of the core, in milliseconds.
--
-- KEYS  for each number, a hash: pair -> opens;id=due;id=due…, the first in line first
-- ARGV[1]  operation; ARGV[2..8] interval, longest line, most lines, stalled after, forgotten after, furthest ahead,
--          tolerance;
-- then for each number how many asks follow, and for each ask pair, id, now, until
--   have   no asks; answers 1 for each number that has a line
--   turn   answers -1 (go) or the time to come back
--   first, back  answer 0
local operation = ARGV[1]
local interval, line_max, lines_max = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local stalled, forgotten = tonumber(ARGV[5]), tonumber(ARGV[6])
local ahead_max, tolerance = tonumber(ARGV[7]), tonumber(ARGV[8])
local answer = {}

local function read(text)
  local line, first = { waiting = {} }, true
  for part in string.gmatch(text, '[^;]+') do
    if first then
      line.opens, first = tonumber(part), false
    else
      local id, due = string.match(part, '^(.-)=(%d+)$')
      table.insert(line.waiting, { id = id, due = tonumber(due) })
    end
  end
  return line
end

local function digits(n) return string.format('%.0f', n) end

local function write(line)
  local parts = { digits(line.opens) }
  for _, waits in ipairs(line.waiting) do parts[#parts + 1] = waits.id .. '=' .. digits(waits.due) end
  return table.concat(parts, ';')
end

local function is_over(line, now)
  if line.opens > now then return false end
  for _, waits in ipairs(line.waiting) do
    if waits.due + forgotten > now then return false end
  end
  return true
end

local function put_first(line, id, till)
  for place = #line.waiting, 1, -1 do
    if line.waiting[place].id == id then table.remove(line.waiting, place) end
  end
  -- Ids sort as the messages were accepted.
  local place = 1
  while line.waiting[place] and line.waiting[place].id < id do place = place + 1 end
  table.insert(line.waiting, place, { id = id, due = till })
  while #line.waiting > line_max do table.remove(line.waiting) end
  line.opens = till
end

local function turn(line, id, now)
  line.opens = math.min(line.opens, now + ahead_max)
  while line.waiting[1] and line.waiting[1].id ~= id
    and math.min(line.waiting[1].due, now + ahead_max) + stalled <= now do
    table.remove(line.waiting, 1)
  end
  local place
  for i, waits in ipairs(line.waiting) do
    if waits.id == id then place = i break end
  end
  if not place then
    if #line.waiting >= line_max then return math.max(line.opens, now) + interval * line_max end
    place = #line.waiting + 1
    line.waiting[place] = { id = id, due = now }
  end
  if place == 1 and line.opens <= now + tolerance then
    table.remove(line.waiting, 1)
    line.opens = now + interval
    return -1
  end
  local due = math.max(line.opens, now) + interval * (place - 1)
  line.waiting[place].due = due
  return due
end

local function store(key, pair, line, now)
  redis.call('HSET', key, pair, write(line))
  local last = line.opens
  for _, waits in ipairs(line.waiting) do last = math.max(last, waits.due) end
  -- Never sooner than for a line that was stored before.
  local life = math.min(math.max(last - now, 0), ahead_max) + forgotten
  if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, digits(life)) end
end

local function make_room(key, now)
  if redis.call('HLEN', key) < lines_max then return true end
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if is_over(read(all[i + 1]), now) then redis.call('HDEL', key, all[i]) end
  end
  return redis.call('HLEN', key) < lines_max
end

local function step(key, pair, id, now, till)
  local stored = redis.call('HGET', key, pair)
  if operation == 'turn' then
    if not stored then return -1 end
    local line = read(stored)
    if is_over(line, now) then
      redis.call('HDEL', key, pair)
      return -1
    end
    local back = turn(line, id, now)
    store(key, pair, line, now)
    return back
  end
  if not stored and (operation == 'back' or not make_room(key, now)) then return 0 end
  local line = stored and read(stored) or { opens = till, waiting = {} }
  put_first(line, id, till)
  store(key, pair, line, now)
  return 0
end

local i = 9
for _, key in ipairs(KEYS) do
  if operation == 'have' then
    answer[#answer + 1] = redis.call('EXISTS', key)
  else
    local asks_end = i + 4 * tonumber(ARGV[i])
    for ask = i + 1, asks_end, 4 do
      answer[#answer + 1] = step(key, ARGV[ask], ARGV[ask + 1], tonumber(ARGV[ask + 2]), tonumber(ARGV[ask + 3]))
    end
    i = asks_end + 1
  end
end
return answer
