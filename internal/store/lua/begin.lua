-- begin records that an attempt at an effect starts.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] effect id  ARGV[6] this attempt's token
-- ARGV[7] due at the earliest, ms
-- returns {"OK", attempts begun before this one} {"NOTFOUND"} when it is done

local c = read_conv(ARGV[4])
if not c then return { 'NOTFOUND' } end
local value = redis.call('HGET', key('e', c.id), ARGV[5])
if not value then return { 'NOTFOUND' } end
local due, begun, token, rest = string.match(value, '^(%d+)|(%d+)|([^|]*)(|.*)$')
-- A repeated call whose reply was lost is the same attempt.
if token == ARGV[6] then return { 'OK', int(num(begun) - 1) } end
if num(due) < num(ARGV[7]) then due = ARGV[7] end
redis.call('HSET', key('e', c.id), ARGV[5], due .. '|' .. int(num(begun) + 1) .. '|' .. ARGV[6] .. rest)
schedule(c)
return { 'OK', begun }
