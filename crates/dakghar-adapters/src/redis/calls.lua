-- The calls under way of tenants, by the clock of this server.
--
-- After a loss of memory nobody gets more until all who live have said what they have.
--
-- KEYS     since when this server counts, in milliseconds; for each tenant, a hash: process -> its calls:when it said so
-- ARGV     the process, how long it counts what it says, how long nobody gets more after a loss, how long that time is
--          remembered, all in milliseconds; for each tenant, the most calls, how many the process has, and how many
--          more it wants
-- answers  for each tenant, how many more it gets
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local process, told_max, patience = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local since = tonumber(redis.call('GET', KEYS[1]) or '')
if not since or since > now then
  since = now
end
redis.call('SET', KEYS[1], string.format('%d', since), 'PX', ARGV[4])
local may_be_lost = now < since + patience
local answer = {}
for i = 2, #KEYS do
  local key = KEYS[i]
  local max, own, wanted = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local others = 0
  local told = redis.call('HGETALL', key)
  for field = 1, #told, 2 do
    if told[field] ~= process then
      local calls, at = string.match(told[field + 1], '^(%d+):(%d+)$')
      if not at or now > tonumber(at) + told_max then
        redis.call('HDEL', key, told[field])
      else
        others = others + tonumber(calls)
      end
    end
  end
  local granted = math.max(0, math.min(wanted, max - others - own))
  if may_be_lost then
    granted = 0
  end
  if own + granted > 0 then
    redis.call('HSET', key, process, string.format('%d:%d', own + granted, now))
    redis.call('PEXPIRE', key, told_max)
  else
    redis.call('HDEL', key, process)
  end
  answer[#answer + 1] = granted
end
return answer
