-- The pace of numbers: the same steps as `Pace` of the core, in the same microseconds, all asks of a number in order.
--
-- KEYS     for each number, a hash with the theoretical arrival times: n(ormal), l(ow), g(ate), p(aused until), and the
--          latest present that anybody named: s(een)
-- ARGV[1]  operation; ARGV[2], [3] what the gate lets through in a burst: messages, microseconds;
-- ARGV[4], [5]  the present of the caller, and how far the presents of two callers may be apart, in microseconds;
-- then for each number how many asks follow, and by operation
--   reserve  interval, lane, not before      for each ask; answers 0, slot
--   admit    interval, lane, now             for each ask; answers 1, 0 (go) or 0, slot (later)
--   refund   interval, lane, 0               for each ask; answers 0, 0
--   pause    0, -, until
--   limit    0, -, time beyond which nothing may be reserved any more
local operation, burst_min, burst_us = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local present, apart_max = tonumber(ARGV[4]), tonumber(ARGV[5])
local is_known, normal, low, gate, paused, seen
local answer = {}

-- The clock of whoever named a present that has not come yet was ahead.
local function look()
  local ahead = seen - present
  if ahead <= apart_max then
    seen = math.max(seen, present)
    return
  end
  normal, low, gate, paused, seen = normal - ahead, low - ahead, gate - ahead, paused - ahead, present
end

local function reserve(not_before, interval, lane)
  if lane == 'high' then
    normal = math.max(normal, not_before) + interval
    return not_before
  end
  local slot = math.max(lane == 'low' and low or normal, not_before)
  if lane == 'low' then low = slot + interval else normal = slot + interval end
  return slot
end

local function admit(now, interval, lane)
  local early = math.max(burst_us, interval * burst_min)
  if now >= paused and gate - now <= early then
    gate = math.max(gate, now) + interval
    return 1, 0
  end
  local opens = math.max(gate - early, paused)
  opens = opens + (-opens) % 1000 -- whole milliseconds, rounded up
  if lane == 'high' then return 0, opens end
  return 0, reserve(opens, interval, lane)
end

local steps = {
  reserve = function(...) return 0, reserve(...) end,
  admit = admit,
  refund = function(_, interval, lane)
    if not is_known then return 0, 0 end
    if lane == 'low' then low = low - interval else normal = normal - interval end
    return 0, 0
  end,
  pause = function(till)
    normal, low, paused = math.max(normal, till), math.max(low, till), math.max(paused, till)
    return 0, 0
  end,
  limit = function(till)
    normal, low, gate = math.min(normal, till), math.min(low, till), math.min(gate, till)
    return 0, 0
  end,
}

-- Sixteen digits: the default form would round them.
local function digits(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + time[2] / 1000
local step, i = steps[operation], 6
for _, key in ipairs(KEYS) do
  local stored = redis.call('HMGET', key, 'n', 'l', 'g', 'p', 's')
  is_known = stored[1] and true or false
  normal, low = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
  gate, paused, seen = tonumber(stored[3] or 0), tonumber(stored[4] or 0), tonumber(stored[5] or 0)
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
    redis.call(
      'HSET', key, 'n', digits(normal), 'l', digits(low), 'g', digits(gate), 'p', digits(paused), 's', digits(seen)
    )
    -- Once all of it has passed, forgetting it changes nothing. Measured by this server's clock, which only has to be
    -- right within the hour that is added; a year bounds what a nonsensical time could leave behind.
    local ahead_ms = math.max(normal, low, gate, paused) / 1000 - now_ms
    redis.call('PEXPIRE', key, digits(3600000 + math.min(math.max(ahead_ms, 0), 31536000000)))
  end
end
return answer
