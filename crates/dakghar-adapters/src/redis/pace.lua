-- The pace of numbers: the same steps as `Pace` of the core, in the same microseconds, all asks of a number in order.
--
-- KEYS     for each number, a hash with the times of its next slots: h(igh), n(ormal), l(ow); with those of its gate:
--          g(ate), q (the calm rate); p(aused until); the latest present that anybody named: s(een); the share that it
--          learned: b(ase), w (since when it grows); and the credits of c (normal) and d (low)
-- ARGV[1]  operation; ARGV[2], [3]  the present of the caller, and how far the presents of two callers may be apart, in
--          microseconds; then for each number how many asks follow, and by operation
--   reserve  interval, lane, not before      for each ask; answers 0, slot
--   admit    interval, lane, now             for each ask; answers 1, 0 (go) or 0, slot (later)
--   refund   interval, lane, 0               for each ask; answers 0, 0
--   pause    now, -, until
--   limit    0, -, time beyond which nothing may be reserved any more
-- The interval is that of the number's level.
--
-- A process of an older version knows n, l, g, p and s alone, and leaves the others as they are: it sends at a fixed
-- two thirds, gives urgent messages no slots but moves n for them, and its pauses take nothing of the share. What is not
-- there yet has its first value.

-- A unit test compares these with the core.
local share_first, share_max, share_min, share_doubles_ms = 650000, 950000, 200000, 20000
local share_calm, whole, second_us = 800000, 1000000, 1000000
local burst_us, burst_min, jitter_us, fast_us = 250000, 5, 10000, 50000
local weights = { high = 16, normal = 4, low = 1 }

local lanes = { 'high', 'normal', 'low' }
local rank = { high = 1, normal = 2, low = 3 }
local pass_cost = weights.high
local credit_max = 2 * pass_cost

local operation, present, apart_max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local is_known, tats, credits, gate, calm, paused, seen, base, since
local answer = {}

-- The clock of whoever named a present that has not come yet was ahead.
local function look()
  local ahead = seen - present
  if ahead <= apart_max then
    seen = math.max(seen, present)
    return
  end
  for lane, tat in pairs(tats) do tats[lane] = tat - ahead end
  gate, calm, paused, seen = gate - ahead, calm - ahead, paused - ahead, present
  if since ~= 0 then since = since - ahead end
end

local function share_at(now)
  if since == 0 then return base end
  local grown_us = math.min(math.max(now - since, 0), 2 * share_doubles_ms * 1000)
  local grown_ms = math.floor(grown_us / 1000)
  return math.min(base + math.floor(base * grown_ms * grown_ms / (share_doubles_ms * share_doubles_ms)), share_max)
end

local function interval_of(level_us, share) return math.ceil(level_us * whole / share) end

local function interval_at(slot, interval, lane)
  local sum = weights[lane]
  for other, tat in pairs(tats) do
    if other ~= lane and tat > slot then sum = sum + weights[other] end
  end
  return math.floor(interval * sum / weights[lane])
end

local function reserve(not_before, level_us, lane)
  if since == 0 then since = not_before end
  local slot = math.max(tats[lane], not_before)
  tats[lane] = slot + interval_at(slot, interval_of(level_us, share_at(slot)), lane)
  return slot
end

-- The interval of a rate, and the time by which messages may pass early.
local function rate_of(level_us, share)
  local interval = interval_of(level_us, share)
  local lead = math.min(math.floor((whole - share) * second_us / share) - jitter_us, burst_us)
  if level_us > fast_us then lead = math.max(lead, interval * burst_min) end
  return interval, lead
end

-- The intervals that a lane leaves to others.
local function left_by(lane, now)
  if credits[lane] >= pass_cost then return 0 end
  local before, is_owed = 0, 0
  for place, other in ipairs(lanes) do
    if tats[other] > now then
      if place < rank[lane] then
        before = before + 1
      elseif credits[other] >= pass_cost then
        is_owed = 1
      end
    end
  end
  return math.min(before + is_owed, 2)
end

local function pass(now, lane, interval, calm_interval, calm_lead)
  gate = math.max(gate, now) + interval
  calm = math.min(math.max(calm, now) + calm_interval, now + calm_lead + calm_interval + second_us)
  credits[lane] = math.max(credits[lane] - pass_cost, 0)
  for place = rank[lane] + 1, #lanes do
    local other = lanes[place]
    credits[other] = math.min(credits[other] + pass_cost * weights[other] / weights[lane], credit_max)
  end
end

local function admit(now, level_us, lane)
  if since == 0 then since = now end
  local share = share_at(now)
  local interval, lead = rate_of(level_us, share)
  local calm_interval, calm_lead = rate_of(level_us, math.min(share, share_calm))
  local left = left_by(lane, now)
  local opens = math.min(gate - lead + interval * left, calm - calm_lead + calm_interval * left)
  opens = math.max(opens, paused)
  if opens <= now then
    pass(now, lane, interval, calm_interval, calm_lead)
    return 1, 0
  end
  -- Whole milliseconds, rounded up.
  return 0, reserve(opens + (-opens) % 1000, level_us, lane)
end

local function refund(_, level_us, lane)
  if is_known then
    local newest = tats[lane] - interval_of(level_us, share_at(tats[lane]))
    tats[lane] = tats[lane] - interval_at(newest, interval_of(level_us, share_at(newest)), lane)
  end
  return 0, 0
end

local function pause(till, now)
  if paused <= now then
    base, since = math.max(math.floor(share_at(now) * 7 / 10), share_min), now
  end
  paused = math.max(paused, till)
  since = math.max(since, paused)
  for lane, tat in pairs(tats) do tats[lane] = math.max(tat, till) end
  return 0, 0
end

local function limit(till)
  for lane, tat in pairs(tats) do tats[lane] = math.min(tat, till) end
  gate, calm = math.min(gate, till), math.min(calm, till)
  return 0, 0
end

local steps = {
  reserve = function(...) return 0, reserve(...) end,
  admit = admit,
  refund = refund,
  pause = pause,
  limit = limit,
}

local function read(key)
  local stored = redis.call('HMGET', key, 'n', 'l', 'g', 'p', 's', 'h', 'q', 'b', 'w', 'c', 'd')
  is_known = stored[1] and true or false
  local function number(place) return tonumber(stored[place] or 0) end
  tats = { high = number(6), normal = number(1), low = number(2) }
  gate, paused, seen, calm, since = number(3), number(4), number(5), number(7), number(9)
  base = tonumber(stored[8] or share_first)
  credits = { high = 0, normal = number(10), low = number(11) }
end

-- Sixteen digits: the default form would round them.
local function digits(n) return string.format('%.0f', n) end

local function write(key)
  redis.call(
    'HSET', key, 'n', digits(tats.normal), 'l', digits(tats.low), 'g', digits(gate), 'p', digits(paused), 's', digits(seen),
    'h', digits(tats.high), 'q', digits(calm), 'b', digits(base), 'w', digits(since), 'c', digits(credits.normal),
    'd', digits(credits.low)
  )
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + time[2] / 1000
local step, i = steps[operation], 4
for _, key in ipairs(KEYS) do
  read(key)
  look()
  local asks_end = i + 3 * tonumber(ARGV[i])
  for ask = i + 1, asks_end, 3 do
    local go, slot = step(tonumber(ARGV[ask + 2]), tonumber(ARGV[ask]), ARGV[ask + 1])
    answer[#answer + 1] = go
    answer[#answer + 1] = slot
  end
  i = asks_end + 1
  -- What nobody has asked for yet has nothing to give back and nothing to limit.
  if is_known or (operation ~= 'refund' and operation ~= 'limit') then
    write(key)
    -- Once all of it has passed, forgetting it has the number learn its share anew. Measured by this server's clock,
    -- which only has to be right within the hour that is added; a year bounds what a nonsensical time could leave behind.
    local ahead_ms = math.max(tats.high, tats.normal, tats.low, gate, paused) / 1000 - now_ms
    redis.call('PEXPIRE', key, digits(3600000 + math.min(math.max(ahead_ms, 0), 31536000000)))
  end
end
return answer
