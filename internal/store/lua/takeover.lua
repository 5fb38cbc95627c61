-- takeover claims what is overdue: the turn, if something is unread and nobody
-- lives to take it, and every effect past its due, whose due moves on.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] lease token  ARGV[6] lease end, ms
-- ARGV[7] next due of the effects claimed, ms
-- returns {"OK", "1" if the turn is the caller's, hash, unread entries,
--          {effect id, value, effect id, value, …}} {"NOTFOUND"}

local c = read_conv(ARGV[4])
if not c then
  redis.call('ZREM', tag .. 'ready', ARGV[4])
  return { 'NOTFOUND' }
end
local mine = take(c, ARGV[5], num(ARGV[6]))
if mine then redis.call('HSET', KEYS[1], 'tok', c.tok, 'til', int(c.til)) end

local claimed = {}
local effects = redis.call('HGETALL', key('e', c.id))
for i = 1, #effects, 2 do
  local due, begun, token, rest = string.match(effects[i + 1], '^(%d+)|(%d+)|([^|]*)(|.*)$')
  -- A repeated call whose reply was lost finds its own token and claims the same.
  if num(due) <= now or token == ARGV[5] then
    local value = ARGV[7] .. '|' .. begun .. '|' .. ARGV[5] .. rest
    redis.call('HSET', key('e', c.id), effects[i], value)
    claimed[#claimed + 1] = effects[i]
    claimed[#claimed + 1] = value
  end
end
schedule(c)
if mine then return { 'OK', '1', all(c), unread(c), claimed } end
return { 'OK', '0', {}, {}, claimed }
