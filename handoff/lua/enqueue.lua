-- enqueue: put one handoff of a conversation into its group's queue, once.
--
-- KEYS[1] ready   sorted set: conversation -> place in the queue
-- KEYS[2] entry   hash of this conversation in this group
-- KEYS[3] held    hash: conversation -> "token generation auto agent"
-- KEYS[4] leases  sorted set: conversation -> expiry, Unix ms
-- ARGV[1] conversation
-- ARGV[2] generation of the handoff
-- ARGV[3] place in the queue by priority and age
-- ARGV[4] place at the front of its priority
-- ARGV[5] sealed package
-- ARGV[6] agent to avoid, or ""
-- ARGV[7] 1: put it back even if this handoff was over (the reconciler)
-- ARGV[8] channel of the notes
-- ARGV[9] note
-- ARGV[10] token of the lease this takes the place of (a transfer within the
--          group), or ""
-- returns the position, 1 is next; 0 when it is not waiting: held, or over;
--         -1 when the lease is not, or no longer, the token's
if ARGV[10] ~= '' then
  local cur = redis.call('HGET', KEYS[3], ARGV[1])
  if not cur or string.match(cur, '^(%S+) ') ~= ARGV[10] then
    if redis.call('HGET', KEYS[2], 'last') ~= 'move ' .. ARGV[10] then
      return -1
    end
  end
end
local handoff = tonumber(redis.call('HGET', KEYS[2], 'handoff') or '-1')
local over = redis.call('HEXISTS', KEYS[2], 'over') == 1
if handoff >= tonumber(ARGV[2]) and not (over and ARGV[7] == '1') then
  local waits = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if not waits then
    return 0
  end
  local known = tonumber(redis.call('HGET', KEYS[2], 'place') or '0')
  if handoff == tonumber(ARGV[2]) and tonumber(ARGV[3]) < known then
    -- The same handoff with a higher priority: it moves up, never down.
    redis.call('HSET', KEYS[2], 'place', ARGV[3], 'front', ARGV[4], 'package', ARGV[5], 'avoid', ARGV[6])
    if tonumber(ARGV[3]) < tonumber(waits) then
      redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
    end
    redis.call('PUBLISH', ARGV[8], ARGV[9])
  end
  return redis.call('ZRANK', KEYS[1], ARGV[1]) + 1
end
if handoff < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[2], 'handoff', ARGV[2])
end
if tonumber(redis.call('HGET', KEYS[2], 'generation') or '-1') < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[2], 'generation', ARGV[2])
end
redis.call('HSET', KEYS[2], 'place', ARGV[3], 'front', ARGV[4], 'package', ARGV[5], 'avoid', ARGV[6])
redis.call('HDEL', KEYS[2], 'over', 'last')
if ARGV[10] ~= '' then
  redis.call('HSET', KEYS[2], 'last', 'move ' .. ARGV[10])
end
redis.call('PERSIST', KEYS[2])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('PUBLISH', ARGV[8], ARGV[9])
return redis.call('ZRANK', KEYS[1], ARGV[1]) + 1
