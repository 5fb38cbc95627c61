-- away: an agent let an assigned conversation lie; give him no more until he
-- says that he is back.
--
-- KEYS[1] status  hash: agent -> status
-- ARGV[1] agent   ARGV[2] channel of the notes   ARGV[3] note
-- returns 1 when he was online
if redis.call('HGET', KEYS[1], ARGV[1]) ~= 'online' then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], 'away')
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
