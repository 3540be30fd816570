-- Reads what is due in one queue of BullMQ, by priority, and changes nothing.
-- KEYS: the jobs without a priority, those with one, those with a delay.
-- ARGV: the beginning of the keys of jobs, the present in milliseconds, how many delayed jobs are looked at.
-- Returns for the priorities 0, 1 and 2 how many are due, and then the slot of the oldest of each in milliseconds, or -1.
local counts = {redis.call('LLEN', KEYS[1]), 0, 0}
local oldest = {-1, -1, -1}

-- BullMQ forgets the delay of a job that it starts, but for its options.
local function note(lane, id)
  local job = redis.call('HMGET', ARGV[1] .. id, 'timestamp', 'opts')
  if not job[1] then return end
  local delay = tonumber(string.match(job[2] or '', '"delay":%s*(%d+)')) or 0
  local slot = tonumber(job[1]) + delay
  if oldest[lane] < 0 or slot < oldest[lane] then oldest[lane] = slot end
end

if counts[1] > 0 then note(1, redis.call('LINDEX', KEYS[1], -1)) end
for priority = 1, 2 do
  local from, to = priority * 4294967296, (priority + 1) * 4294967296 - 1
  counts[priority + 1] = redis.call('ZCOUNT', KEYS[2], from, to)
  local first = redis.call('ZRANGEBYSCORE', KEYS[2], from, to, 'LIMIT', 0, 1)
  if first[1] then note(priority + 1, first[1]) end
end

-- Where no worker runs, nobody starts what is delayed.
local now = tonumber(ARGV[2]) * 4096 + 4095
local due = redis.call('ZRANGEBYSCORE', KEYS[3], 0, now, 'LIMIT', 0, ARGV[3])
for _, id in ipairs(due) do
  local priority = tonumber(redis.call('HGET', ARGV[1] .. id, 'priority')) or 0
  local lane = math.min(priority, 2) + 1
  counts[lane] = counts[lane] + 1
  note(lane, id)
end
-- Those that were not looked at count as normal ones.
counts[2] = counts[2] + redis.call('ZCOUNT', KEYS[3], 0, now) - #due

return {counts[1], counts[2], counts[3], oldest[1], oldest[2], oldest[3]}
