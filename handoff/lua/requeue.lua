-- requeue: end a lease and put its conversation back into the queue.
--
-- KEYS[1] ready   KEYS[2] entry   KEYS[3] held   KEYS[4] leases  (see enqueue.lua)
-- ARGV[1] conversation
-- ARGV[2] token of the lease
-- ARGV[3] field of the entry that holds the new place: "place" or "front"
-- ARGV[4] channel of the notes
-- ARGV[5] note for everybody
-- ARGV[6] note for the agent who lost it, or ""
-- returns 1 done, now or before; 0 the lease is not, or no longer, this token's
local cur = redis.call('HGET', KEYS[3], ARGV[1])
if not cur or string.match(cur, '^(%S+) ') ~= ARGV[2] then
  if redis.call('HGET', KEYS[2], 'last') == 'requeue ' .. ARGV[2] then
    return 1
  end
  return 0
end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('HSET', KEYS[2], 'last', 'requeue ' .. ARGV[2])
redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[2], ARGV[3]) or '0', ARGV[1])
redis.call('PUBLISH', ARGV[4], ARGV[5])
if ARGV[6] ~= '' then
  redis.call('PUBLISH', ARGV[4], ARGV[6])
end
return 1
