-- write applies a change outside a turn, by the right of a fence.
--
-- KEYS[1] conversation
-- ARGV[4] conversation id  ARGV[5] agent's lease or ""  ARGV[6] generation or 0
-- ARGV[7] "1" for the system itself  ARGV[8] ",state,state," it applies in, or ""
-- ARGV[9…] the change
-- returns {"OK", hash, last seq before, last vseq before}
--         {"REPLAY", hash, entries}: a message of this change, or this very claim,
--          was written before; nothing was changed
--         {"NOTFOUND"} {"LEASE"} {"CONFLICT"} {"TAKEN"} {"STATE", state}

local c = read_conv(ARGV[4])
if not c then return { 'NOTFOUND' } end
local lease, gen, event = ARGV[5], num(ARGV[6]), ARGV[10]

local entries, at = {}, 9 + 14
for _ = 1, num(ARGV[9 + 13]) do
  local seq = redis.call('HGET', key('cid', c.id), ARGV[at + 4])
  if seq then entries[#entries + 1] = redis.call('LINDEX', key('t', c.id), int(num(seq) - 1)) end
  at = at + 6
end
local held = c.st == 'serving' or c.st == 'on_hold'
if #entries > 0 or (event == 'claim' and held and c.gen == num(ARGV[9 + 7]) and c.lea == ARGV[9 + 6]) then
  return { 'REPLAY', all(c), entries }
end

local right = ARGV[7] == '1'
if lease ~= '' then
  if not held or c.lea ~= lease then return { 'LEASE' } end
  right = true
end
if gen ~= 0 then
  if event ~= 'claim' and c.gen > gen then return { 'LEASE' } end
  right = true
end
if not right then return { 'LEASE' } end
if ARGV[8] ~= '' and not string.find(ARGV[8], ',' .. c.st .. ',', 1, true) then return { 'CONFLICT' } end
local code, to = check(c, 9)
if code ~= 'OK' then return { code, to } end

local seq, vs = c.seq, c.vs
apply(c, 9, to)
save_turn(c)
schedule(c)
keep_expiry(c)
if c.seq > seq or event ~= '' then wake(c) end
return { 'OK', all(c), int(seq), int(vs) }
