-- The requests of tenants in the present second, by the clock of this server.
--
-- KEYS     for each tenant, a hash: s(econd), n(umber of requests in it)
-- ARGV     for each tenant, the most requests a second, and how many ask
-- answers  for each tenant, how many may go on, how many more there may be, milliseconds to the next second
local time = redis.call('TIME')
local resets_in_ms = 1000 - math.floor(tonumber(time[2]) / 1000)
local answer = {}
for i, key in ipairs(KEYS) do
  local per_second, requests = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local stored = redis.call('HMGET', key, 's', 'n')
  local used = stored[1] == time[1] and tonumber(stored[2]) or 0
  local granted = math.max(0, math.min(requests, per_second - used))
  redis.call('HSET', key, 's', time[1], 'n', used + granted)
  redis.call('PEXPIRE', key, 2000)
  answer[#answer + 1] = granted
  answer[#answer + 1] = math.max(0, per_second - used - granted)
  answer[#answer + 1] = resets_in_ms
end
return answer
