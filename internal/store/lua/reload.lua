-- reload reads a conversation again under a turn lease still held, and prolongs
-- the lease.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] lease token  ARGV[6] new lease end, ms
-- returns {"OK", hash, unread entries} {"NOTFOUND"} {"LEASE"}

local c = read_conv(ARGV[4])
if not c then return { 'NOTFOUND' } end
if c.tok ~= ARGV[5] then return { 'LEASE' } end
c.til = num(ARGV[6])
redis.call('HSET', KEYS[1], 'til', ARGV[6])
schedule(c)
return { 'OK', all(c), unread(c) }
