-- done marks effects done: they are gone.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5…] effect ids
-- returns {"OK"}, also when there is no such conversation or effect

local c = read_conv(ARGV[4])
if not c then
  redis.call('ZREM', tag .. 'ready', ARGV[4])
  return { 'OK' }
end
for i = 5, #ARGV do redis.call('HDEL', key('e', c.id), ARGV[i]) end
schedule(c)
return { 'OK' }
