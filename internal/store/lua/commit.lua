-- commit applies a turn's outcome under its lease.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] lease token  ARGV[6] version read
-- ARGV[7] lease end if it is kept, ms           ARGV[8…] the change
-- returns {"OK", last seq before, last vseq before, "1" if a next turn is held,
--          hash, unread entries}
--         {"REPLAY", entries, "", "1" if a next turn is held, hash, unread}: this
--          token has committed this version already; nothing was changed
--         {"NOTFOUND"} {"LEASE"} {"CONFLICT"} {"STATE", state}

local token = ARGV[5]
local c = read_conv(ARGV[4])
if not c then return { 'NOTFOUND' } end

if c.ltk == token and c.lvr == ARGV[6] then
  local entries = {}
  if c.lln > 0 then entries = redis.call('LRANGE', key('t', c.id), int(c.lsq), int(c.lsq + c.lln - 1)) end
  if c.tok == token and c.cs > c.cur then return { 'REPLAY', entries, '', '1', all(c), unread(c) } end
  return { 'REPLAY', entries, '', '0', {}, {} }
end

if c.tok ~= token then return { 'LEASE' } end
if c.ver ~= num(ARGV[6]) then return { 'CONFLICT' } end
local code, to = check(c, 8)
if code ~= 'OK' then return { code, to } end

local seq, vs = c.seq, c.vs
apply(c, 8, to)
local more = c.cs > c.cur
if more then
  c.til = num(ARGV[7])
else
  c.tok, c.til = '', 0
end
save_turn(c, 'ltk', token, 'lvr', ARGV[6], 'lsq', int(seq), 'lln', int(c.seq - seq))
schedule(c)
keep_expiry(c)
if c.seq > seq or ARGV[9] ~= '' then wake(c) end
if more then return { 'OK', int(seq), int(vs), '1', all(c), unread(c) } end
return { 'OK', int(seq), int(vs), '0', {}, {} }
