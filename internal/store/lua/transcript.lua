-- transcript reads entries after a seq, with their deliveries.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] after  ARGV[6] limit, 0 is all
-- returns {"OK", {entry, delivery or "", entry, delivery or "", …}} {"NOTFOUND"}

if redis.call('EXISTS', KEYS[1]) == 0 then return { 'NOTFOUND' } end
local from, to = num(ARGV[5]), -1
if ARGV[6] ~= '0' then to = from + num(ARGV[6]) - 1 end
local out = {}
for _, entry in ipairs(redis.call('LRANGE', key('t', ARGV[4]), int(from), int(to))) do
  out[#out + 1] = entry
  local id = string.match(entry, '^%d+\31%d+\31d\31([^\31]*)\31')
  out[#out + 1] = id and redis.call('HGET', key('del', ARGV[4]), id) or ''
end
return { 'OK', out }
