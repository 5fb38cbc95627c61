-- unlock: end an assignment round, if it is still this one.
--
-- KEYS[1] the lock   ARGV[1] its token
-- returns 1 when it was
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
