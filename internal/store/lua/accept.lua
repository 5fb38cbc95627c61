-- accept stores an inbound message once, opens, reopens or resumes its
-- conversation, and takes the turn lease if it is free.
--
-- KEYS[1]  dedupe record     KEYS[2] the address's pointer
-- ARGV[4]  address hash      ARGV[5] dedupe life, ms   ARGV[6] reopen window, ms
-- ARGV[7]  proposed conversation id or ""   ARGV[8] another, fresh one
-- ARGV[9]  message id        ARGV[10] "1" if silent    ARGV[11] sealed message
-- ARGV[12] lease token       ARGV[13] lease end, ms    ARGV[14] transition message id
-- ARGV[15] epoch             ARGV[16] account          ARGV[17] channel kind
-- ARGV[18] "1" if readers pull                         ARGV[19] sealed address
-- ARGV[20] sealed identity or ""               ARGV[21] "1" if it moves no state
-- returns  {"OK"|"DUP", conversation, seq, vseq, message id, state, entry or "",
--          "1" if the lease is the caller's, hash, unread entries}

local id, silent, token = ARGV[9], ARGV[10] == '1', ARGV[12]
local status, c, seq, vseq, msg, entry = 'OK', nil, '0', '0', id, ''

local seen = redis.call('GET', KEYS[1])
if seen then
  local conv
  conv, seq, vseq, msg = string.match(seen, '^([^|]*)|(%d+)|(%d+)|(.*)$')
  if msg ~= id then status = 'DUP' end
  c = read_conv(conv)
  if not c then return { status, conv, seq, vseq, msg, 'closed', '', '0', {}, {} } end
  entry = redis.call('LINDEX', key('t', conv), int(num(seq) - 1)) or ''
  local mine = take(c, token, num(ARGV[13]))
  if not mine then return { status, conv, seq, vseq, msg, c.st, entry, '0', {}, {} } end
  redis.call('HSET', key('c', conv), 'tok', c.tok, 'til', int(c.til))
  schedule(c)
  return { status, conv, seq, vseq, msg, c.st, entry, '1', all(c), unread(c) }
end

local conv = redis.call('GET', KEYS[2])
if conv then c = read_conv(conv) end
if c and c.st == 'closed' and now - c.chg > num(ARGV[6]) then c = nil end

local fields = {}
if not c then
  conv = ARGV[7]
  if conv == '' or redis.call('EXISTS', key('c', conv)) == 1 then conv = ARGV[8] end
  fields = { 'st', 'bot', 'epo', ARGV[15], 'acc', ARGV[16], 'chn', ARGV[17], 'pull', ARGV[18],
    'adr', ARGV[19], 'ah', ARGV[4], 'opn', ARGV[1], 'chg', ARGV[1] }
  redis.call('SET', KEYS[2], conv)
  c = { id = conv, st = 'bot', ver = 1, seq = 0, vs = 0, cur = 0, cs = 0, fu = 0, tok = '', til = 0, exp = 0 }
elseif ARGV[21] ~= '1' and (c.st == 'closed' or c.st == 'on_hold') then
  local event, to = 'resume', 'serving'
  if c.st == 'closed' then
    event, to = 'reopen', 'bot'
    redis.call('HSET', key('c', conv), 'grp', '', 'pri', '', 'agt', '', 'lea', '')
    unexpire(c)
  end
  move(c, to)
  append(c, ARGV[14], '1', 'x', event .. '|' .. ARGV[1])
  c.ver = c.ver + 1
end

if silent then
  local idle = c.cs <= c.cur
  append(c, id, '1', 'n', ARGV[11])
  if idle then c.cur = c.seq end
else
  append(c, id, '0', 'u', ARGV[11])
  if c.cs <= c.cur then c.fu = c.seq end
  c.cs = c.seq
end
seq, vseq = int(c.seq), '0'
if not silent then vseq = int(c.vs) end
redis.call('SET', KEYS[1], conv .. '|' .. seq .. '|' .. vseq .. '|' .. id, 'PX', ARGV[5])

local mine = take(c, token, num(ARGV[13]))
fields[#fields + 1] = 'act'
fields[#fields + 1] = ARGV[1]
if ARGV[20] ~= '' then
  fields[#fields + 1] = 'idn'
  fields[#fields + 1] = ARGV[20]
end
save_turn(c, unpack(fields))
-- A conversation with the bot has no other clock than the contact's last word.
if c.st == 'bot' then redis.call('ZADD', key('st', 'bot'), ARGV[1], conv) end
schedule(c)
wake(c)
if not mine then return { status, conv, seq, vseq, msg, c.st, '', '0', {}, {} } end
return { status, conv, seq, vseq, msg, c.st, '', '1', all(c), unread(c) }
