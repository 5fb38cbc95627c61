-- presence: record what an agent says of himself, and that he was just seen.
--
-- KEYS[1] status  hash: agent -> status
-- KEYS[2] info    hash: agent -> name, groups, capacity as JSON
-- KEYS[3] seen    sorted set: agent -> last heartbeat, Unix ms
-- ARGV[1] agent   ARGV[2] status   ARGV[3] info   ARGV[4] now, Unix ms
-- ARGV[5] channel of the notes     ARGV[6] note
-- returns 1 when something but the heartbeat changed
local same = redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] and redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[3]
redis.call('ZADD', KEYS[3], 'GT', ARGV[4], ARGV[1])
if same then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
