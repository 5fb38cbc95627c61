-- expire lets a closed, archived conversation's keys run out.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] life, ms; 0 is at once
-- returns {"OK"}, also when it is gone already; {"CONFLICT"} when it is not closed

local c = read_conv(ARGV[4])
if not c then return { 'OK' } end
if c.st ~= 'closed' then return { 'CONFLICT' } end
local life, keys = num(ARGV[5]), keys_of(c)
if redis.call('GET', key('a', c.ah)) == c.id then keys[#keys + 1] = key('a', c.ah) end
redis.call('HSET', KEYS[1], 'exp', int(now + life))
for _, k in ipairs(keys) do
  if life > 0 then
    redis.call('PEXPIRE', k, ARGV[5])
  else
    redis.call('DEL', k)
  end
end
redis.call('ZREM', key('st', 'closed'), c.id)
-- What is still to be done stays due for as long as the conversation lives.
if life > 0 then schedule(c) else redis.call('ZREM', tag .. 'ready', c.id) end
return { 'OK' }
