-- withdraw: take a conversation out of a group, waiting or held, unless it was
-- handed off again meanwhile. It is remembered even if its enqueue has yet to
-- come.
--
-- KEYS[1] ready   KEYS[2] entry   KEYS[3] held   KEYS[4] leases  (see enqueue.lua)
-- ARGV[1] conversation
-- ARGV[2] the newest handoff meant; -1: whatever is there
-- ARGV[3] how long to remember, ms
-- ARGV[4] channel of the notes
-- ARGV[5] note
-- returns 1 something was there; 0 nothing was, or a newer handoff is
local known = redis.call('HGET', KEYS[2], 'handoff')
local upto = tonumber(ARGV[2])
if not known then
  if upto < 0 then
    return 0
  end
  redis.call('HSET', KEYS[2], 'handoff', ARGV[2], 'over', '1')
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return 0
end
if upto >= 0 and tonumber(known) > upto then
  return 0
end
if redis.call('HEXISTS', KEYS[2], 'over') == 1 then
  if upto > tonumber(known) then
    redis.call('HSET', KEYS[2], 'handoff', ARGV[2])
  end
  return 0
end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], 'package', 'place', 'front', 'avoid', 'last')
redis.call('HSET', KEYS[2], 'over', '1')
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
