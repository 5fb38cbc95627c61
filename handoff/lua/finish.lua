-- finish: end a lease and with it the handoff: the conversation was closed, or
-- another group has it now. What is left remembers the handoff for a while, so
-- that a late repetition of its enqueue does nothing.
--
-- KEYS[1] ready   KEYS[2] entry   KEYS[3] held   KEYS[4] leases  (see enqueue.lua)
-- ARGV[1] conversation
-- ARGV[2] token of the lease
-- ARGV[3] how long to remember, ms
-- ARGV[4] channel of the notes
-- ARGV[5] note
-- returns 1 done, now or before; 0 the lease is not, or no longer, this token's
local cur = redis.call('HGET', KEYS[3], ARGV[1])
if not cur or string.match(cur, '^(%S+) ') ~= ARGV[2] then
  if redis.call('HGET', KEYS[2], 'last') == 'finish ' .. ARGV[2] then
    return 1
  end
  return 0
end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], 'package', 'place', 'front', 'avoid')
redis.call('HSET', KEYS[2], 'over', '1', 'last', 'finish ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
