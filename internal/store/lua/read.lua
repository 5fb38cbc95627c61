-- read records what the contact has seen; it never goes back nor past the end.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] vseq
-- returns {"OK"} {"NOTFOUND"}

local c = read_conv(ARGV[4])
if not c then return { 'NOTFOUND' } end
local vs = num(ARGV[5])
if vs > c.vs then vs = c.vs end
if vs > c.rdv then
  redis.call('HSET', KEYS[1], 'rdv', int(vs))
  wake(c)
end
return { 'OK' }
