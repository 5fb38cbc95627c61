-- lib.lua is what the verbs share; Go puts it before each of them.
--
-- ARGV[1] now, milliseconds since 1970, from Go's clock: no verb asks the server
-- ARGV[2] tag, "{s<n>}:"; every key is tag .. kind .. ":" .. name (keys.go)
-- ARGV[3] the pub/sub channel of the wake-ups
--
-- Keys: a verb declares at least one key of the shard in KEYS, which chooses the
-- cluster node, and builds the others from the tag. Accept cannot know the
-- conversation before it has run, so not every key can be declared; all of them
-- carry the same hash tag and therefore live in the same slot on the same node,
-- which is what Redis Cluster requires.
--
-- The same text runs on redis-server and on miniredis: no cjson, only integers
-- go from arithmetic into a command, errors are codes in the reply. A verb
-- checks everything before its first write, so that it applies whole or not at
-- all. A server out of memory refuses a script only at its first write, and only
-- if that write may need memory: so HSET comes before ZREM and PERSIST.
--
-- Kinds: a address -> conversation; d dedupe; c conversation; t transcript;
-- del deliveries; e effects; cid ids of written messages; ready due ms per
-- conversation; st:<state> conversations by last change.

local now = tonumber(ARGV[1])
local tag = ARGV[2]

local function int(n) return string.format('%d', n) end
local function num(v) return tonumber(v or '0') or 0 end
local function key(kind, name) return tag .. kind .. ':' .. name end

-- read_conv returns the conversation's scalars, or nil.
local function read_conv(id)
  local v = redis.call('HMGET', key('c', id), 'st', 'ver', 'seq', 'vs', 'cur', 'cs', 'fu', 'tok', 'til',
    'gen', 'grp', 'pri', 'agt', 'lea', 'lg', 'la', 'pull', 'exp', 'ah', 'chg', 'rdv', 'ltk', 'lvr', 'lsq', 'lln')
  if not v[1] then return nil end
  return {
    id = id, st = v[1], ver = num(v[2]), seq = num(v[3]), vs = num(v[4]),
    cur = num(v[5]), cs = num(v[6]), fu = num(v[7]), -- cursor; newest and first unread contact message
    tok = v[8] or '', til = num(v[9]), gen = num(v[10]),
    grp = v[11] or '', pri = v[12] or '', agt = v[13] or '', lea = v[14] or '',
    lg = v[15] or '', la = v[16] or '', pull = v[17] or '0', exp = num(v[18]),
    ah = v[19] or '', chg = num(v[20]), rdv = num(v[21]),
    ltk = v[22], lvr = v[23], lsq = num(v[24]), lln = num(v[25]), -- the last commit
  }
end

-- all returns the whole conversation hash, flat.
local function all(c) return redis.call('HGETALL', key('c', c.id)) end

local function wake(c)
  redis.call('PUBLISH', ARGV[3], c.id .. '|' .. int(c.seq) .. '|' .. c.st .. '|')
end

-- append adds one message. Index in the list is seq - 1. flag: u contact's, needs
-- a turn; d has a delivery; x the store's own transition, not sealed; n other.
local function append(c, id, hidden, flag, body)
  c.seq = c.seq + 1
  local vs = 0
  if hidden ~= '1' then
    c.vs = c.vs + 1
    vs = c.vs
  end
  redis.call('RPUSH', key('t', c.id),
    int(c.seq) .. '\31' .. int(vs) .. '\31' .. flag .. '\31' .. id .. '\31' .. body)
end

-- unread returns up to 50 entries that need a turn, oldest first.
local function unread(c)
  local out = {}
  if c.cs <= c.cur then return out end
  local from = c.cur
  if c.fu - 1 > from then from = c.fu - 1 end
  while #out < 50 and from < c.cs do
    local part = redis.call('LRANGE', key('t', c.id), int(from), int(from + 49))
    if #part == 0 then break end
    for i = 1, #part do
      if #out < 50 and string.find(part[i], '^%d+\31%d+\31u') then out[#out + 1] = part[i] end
    end
    from = from + 50
  end
  return out
end

-- take gives the turn lease to token if something is unread and the lease is
-- free, run out, or this very token's (a repeated call whose reply was lost).
local function take(c, token, till)
  if c.cs > c.cur and (c.tok == '' or c.til <= now or c.tok == token) then
    c.tok, c.til = token, till
    return true
  end
  return false
end

-- schedule puts the conversation into the ready index at the moment a sweeper
-- must look at it, or takes it out.
local function schedule(c)
  local due
  if c.cs > c.cur then
    due = now
    if c.tok ~= '' and c.til > now then due = c.til end
  end
  local effects = redis.call('HVALS', key('e', c.id))
  for i = 1, #effects do
    local d = num(string.match(effects[i], '^(%d+)|'))
    if not due or d < due then due = d end
  end
  if due then
    redis.call('ZADD', tag .. 'ready', int(due), c.id)
  else
    redis.call('ZREM', tag .. 'ready', c.id)
  end
end

-- save_turn writes what append, take and a moved cursor changed, and the fields
-- given after it.
local function save_turn(c, ...)
  redis.call('HSET', key('c', c.id), 'seq', int(c.seq), 'vs', int(c.vs), 'cur', int(c.cur),
    'cs', int(c.cs), 'fu', int(c.fu), 'tok', c.tok, 'til', int(c.til), 'ver', int(c.ver), ...)
end

-- move records a transition; the caller appends its message.
local function move(c, to)
  redis.call('HSET', key('c', c.id), 'st', to, 'chg', int(now))
  if c.st ~= to then redis.call('ZREM', key('st', c.st), c.id) end
  redis.call('ZADD', key('st', to), int(now), c.id)
  c.st = to
end

local function keys_of(c)
  return { key('c', c.id), key('t', c.id), key('del', c.id), key('e', c.id), key('cid', c.id) }
end

-- unexpire makes an archived conversation live again.
local function unexpire(c)
  if c.exp == 0 then return end
  for _, k in ipairs(keys_of(c)) do redis.call('PERSIST', k) end
  redis.call('PERSIST', key('a', c.ah))
  redis.call('HDEL', key('c', c.id), 'exp')
  c.exp = 0
end

-- keep_expiry gives keys made after Expire the same end as the conversation's.
local function keep_expiry(c)
  if c.exp == 0 then return end
  for _, k in ipairs(keys_of(c)) do redis.call('PEXPIREAT', k, int(c.exp)) end
end

-- A change is a block of ARGV from index i, as change.go encodes it:
--   i+0 cursor    i+1 event    i+2 transitions ",from>to,from>to"
--   i+3 group     i+4 priority i+5 agent  i+6 lease  i+7 generation  i+8 score
--   i+9 "1" if memory is set  i+10 memory  i+11 "1" if handoff is set  i+12 handoff
--   i+13 number of messages, then for each: id, hidden, flag, delivery, written id, body
--   then the number of effects, then for each: id, due ms, kind, payload

-- check says whether a change applies: 'OK' and the new state, or a code.
local function check(c, i)
  local event, gen = ARGV[i + 1], num(ARGV[i + 7])
  if event == '' then return 'OK', c.st end
  local to = string.match(ARGV[i + 2], ',' .. c.st .. '>([%a_]+)')
  if not to then return 'STATE', c.st end
  if event == 'claim' then
    if gen <= c.gen then return 'TAKEN', c.st end
  elseif gen ~= 0 and gen <= c.gen then
    return 'CONFLICT', c.st
  end
  return 'OK', to
end

-- given returns the new value, or the old one when none is given.
local function given(new, old)
  if new ~= '' then return new end
  return old
end

-- handed sets who has the conversation after an event.
local function handed(c, i, event)
  local grp, pri, agt, lea, gen = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], num(ARGV[i + 7])
  if gen ~= 0 then
    c.gen = gen
  elseif event == 'handoff' then
    c.gen = c.gen + 1
  end
  if event == 'hold' or event == 'resume' then
    return
  elseif event == 'close' or event == 'reopen' then
    c.grp, c.pri, c.agt, c.lea = '', '', '', ''
  else
    if event == 'handoff' then
      c.grp, c.pri = grp, pri
    else
      c.grp, c.pri = given(grp, c.grp), given(pri, c.pri)
    end
    c.agt, c.lea, c.lg = agt, lea, c.grp
    if event == 'claim' then c.la = agt end
  end
end

-- apply makes a checked change. The caller saves the turn and the schedule.
local function apply(c, i, to)
  local ckey, event = key('c', c.id), ARGV[i + 1]
  local cursor = num(ARGV[i])
  if cursor > c.cur then c.cur = cursor end
  if event ~= '' then
    handed(c, i, event)
    move(c, to)
    if event == 'reopen' then unexpire(c) end
    redis.call('HSET', ckey, 'gen', int(c.gen), 'grp', c.grp, 'pri', c.pri, 'agt', c.agt, 'lea', c.lea,
      'lg', c.lg, 'la', c.la)
  end
  if ARGV[i + 8] ~= '0' then redis.call('HSET', ckey, 'sco', ARGV[i + 8]) end
  if ARGV[i + 9] == '1' then redis.call('HSET', ckey, 'mem', ARGV[i + 10]) end
  if ARGV[i + 11] == '1' then redis.call('HSET', ckey, 'hnd', ARGV[i + 12]) end

  local at = i + 14
  for _ = 1, num(ARGV[i + 13]) do
    local id, hidden, flag, delivery, written = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    append(c, id, hidden, flag, ARGV[at + 5])
    if delivery ~= '' then
      if c.pull == '1' and delivery == 'pending' then delivery = 'sent' end
      redis.call('HSET', key('del', c.id), id, delivery .. '\31')
    end
    if written ~= '' then redis.call('HSET', key('cid', c.id), written, int(c.seq)) end
    at = at + 6
  end
  local effects = num(ARGV[at])
  at = at + 1
  for _ = 1, effects do
    if not (c.pull == '1' and ARGV[at + 2] == 'send') then
      redis.call('HSET', key('e', c.id), ARGV[at], ARGV[at + 1] .. '|0||' .. ARGV[at + 2] .. '|' .. ARGV[at + 3])
    end
    at = at + 4
  end
  c.ver = c.ver + 1
end

