-- abandon gives a turn lease back without a commit; what is unread is due at once.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] lease token
-- returns {"OK"}, also when the lease is not the token's any more

local c = read_conv(ARGV[4])
if not c or c.tok ~= ARGV[5] then return { 'OK' } end
c.tok, c.til = '', 0
redis.call('HSET', KEYS[1], 'tok', '', 'til', '0')
schedule(c)
return { 'OK' }
