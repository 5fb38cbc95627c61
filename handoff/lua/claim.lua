-- claim: give one waiting conversation to one agent. The holder, and a claim
-- sent again with its token, get the lease that is there.
--
-- KEYS[1] ready   KEYS[2] entry   KEYS[3] held   KEYS[4] leases  (see enqueue.lua)
-- ARGV[1] conversation
-- ARGV[2] agent
-- ARGV[3] proposed token
-- ARGV[4] expiry, Unix ms
-- ARGV[5] 1: assigned by the desk, to be accepted by a renewal
-- ARGV[6] channel of the notes
-- ARGV[7] note
-- returns {1, token, generation, auto, sealed package} the agent holds it
--         {0} somebody else does, or it is over
--         {-1} the group never saw it
local cur = redis.call('HGET', KEYS[3], ARGV[1])
if cur then
  local token, generation, auto, agent = string.match(cur, '^(%S+) (%d+) (%d) (.*)$')
  if agent ~= ARGV[2] then
    return {0}
  end
  if ARGV[5] == '0' then
    auto = '0'
  end
  redis.call('HSET', KEYS[3], ARGV[1], token .. ' ' .. generation .. ' ' .. auto .. ' ' .. agent)
  redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
  return {1, token, generation, auto, redis.call('HGET', KEYS[2], 'package') or ''}
end
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  if redis.call('EXISTS', KEYS[2]) == 1 then
    return {0}
  end
  return {-1}
end
redis.call('HINCRBY', KEYS[2], 'generation', 1)
local generation = redis.call('HGET', KEYS[2], 'generation')
redis.call('HDEL', KEYS[2], 'last')
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3] .. ' ' .. generation .. ' ' .. ARGV[5] .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
redis.call('PUBLISH', ARGV[6], ARGV[7])
return {1, ARGV[3], generation, ARGV[5], redis.call('HGET', KEYS[2], 'package') or ''}
