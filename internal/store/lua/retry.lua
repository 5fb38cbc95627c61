-- retry makes an effect due again at the given time; a done one stays done.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] effect id  ARGV[6] due, ms
-- ARGV[7] "1" to forget the attempts begun
-- returns {"OK"}

local c = read_conv(ARGV[4])
if not c then return { 'OK' } end
local value = redis.call('HGET', key('e', c.id), ARGV[5])
if not value then return { 'OK' } end
local begun, rest = string.match(value, '^%d+|(%d+)(|.*)$')
if ARGV[7] == '1' then begun = '0' end
redis.call('HSET', key('e', c.id), ARGV[5], ARGV[6] .. '|' .. begun .. rest)
schedule(c)
return { 'OK' }
