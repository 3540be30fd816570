-- The requests of tenants in the last second, by the clock of this server: the same steps as `Quota` of the core.
--
-- KEYS     for each tenant, a text with a note for requests at about the same time: first:last:number and a space, times
--          in microseconds, the oldest first
-- ARGV     how long a request counts, and how long requests are put into one note, in microseconds;
--          for each tenant, the most requests in a second, and how many ask
-- answers  for each tenant, how many may go on, how many more there may be, milliseconds until there may be more
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local second, together = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer = {}
for i, key in ipairs(KEYS) do
  local per_second, requests = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local notes, used = {}, 0
  for first, last, number in string.gmatch(redis.call('GET', key) or '', '(%d+):(%d+):(%d+) ') do
    -- The clock may have been set back since.
    local note = { math.min(tonumber(first), now), math.min(tonumber(last), now), tonumber(number) }
    if now < note[2] + second then
      notes[#notes + 1] = note
      used = used + note[3]
    end
  end
  local left = math.max(0, per_second - used)
  local granted = math.min(requests, left)
  if granted > 0 then
    local newest = notes[#notes]
    if newest and now < newest[1] + together then
      newest[2], newest[3] = now, newest[3] + granted
    else
      notes[#notes + 1] = { now, now, granted }
    end
    local texts = {}
    for n, note in ipairs(notes) do
      texts[n] = string.format('%.0f:%.0f:%d ', note[1], note[2], note[3])
    end
    redis.call('SET', key, table.concat(texts), 'PX', math.ceil(second / 1000))
  end
  local oldest = notes[1] and notes[1][2] or now
  answer[#answer + 1] = granted
  answer[#answer + 1] = left - granted
  answer[#answer + 1] = math.ceil((oldest + second - now) / 1000)
end
return answer
