-- The calls under way of tenants, by the clock of this server.
--
-- KEYS     for each tenant, a hash: process -> its calls:when it said so, in milliseconds
-- ARGV     the process, how long it counts what it says, in milliseconds; for each tenant, the most calls, how many
--          the process has, and how many more it wants
-- answers  for each tenant, how many more it gets
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local process, told_max = ARGV[1], tonumber(ARGV[2])
local answer = {}
for i, key in ipairs(KEYS) do
  local max, own, wanted = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
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
  if own + granted > 0 then
    redis.call('HSET', key, process, string.format('%d:%d', own + granted, now))
    redis.call('PEXPIRE', key, told_max)
  else
    redis.call('HDEL', key, process)
  end
  answer[#answer + 1] = granted
end
return answer
