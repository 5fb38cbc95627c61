-- delivery records how the delivery of a message stands and marks its effect done.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] message id  ARGV[6] delivery
-- ARGV[7] sealed note or ""  ARGV[8] effect id or ""
-- returns {"OK"} {"NOTFOUND"}

local c = read_conv(ARGV[4])
if not c then return { 'NOTFOUND' } end
redis.call('HSET', key('del', c.id), ARGV[5], ARGV[6] .. '\31' .. ARGV[7])
if ARGV[8] ~= '' then
  redis.call('HDEL', key('e', c.id), ARGV[8])
  schedule(c)
end
keep_expiry(c)
wake(c)
return { 'OK' }
