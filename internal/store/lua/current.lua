-- current finds the address's newest conversation.
--
-- KEYS[1] the address's pointer
-- returns {"OK", conversation id, hash} {"NOTFOUND"}

local conv = redis.call('GET', KEYS[1])
if not conv then return { 'NOTFOUND' } end
local hash = redis.call('HGETALL', key('c', conv))
if #hash == 0 then return { 'NOTFOUND' } end
return { 'OK', conv, hash }
