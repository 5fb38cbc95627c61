-- Opens or spends a contact's reply windows on a channel that counts them.
-- KEYS[1] the contact's ledger, a hash: window -> "left:until_ms"
-- ARGV[1] now, ms
-- ARGV[2] the window to open, or "" to open none
-- ARGV[3] its allowance   ARGV[4] its end, ms
-- ARGV[5] how many messages to spend; 0 only looks
-- returns {left, until_ms} over all windows still open
local now = tonumber(ARGV[1])
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ':' .. ARGV[4])
end
local open, names = {}, {}
local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local left, ends = string.match(raw[i + 1], '^(%d+):(%d+)$')
  if left and tonumber(ends) > now then
    open[raw[i]] = {left = tonumber(left), ends = tonumber(ends), raw = ends}
    names[#names + 1] = raw[i]
  else
    redis.call('HDEL', KEYS[1], raw[i])
  end
end
-- the window that closes first is spent first
table.sort(names, function(a, b) return open[a].ends < open[b].ends end)
local n = tonumber(ARGV[5])
local left, last, lastraw = 0, 0, '0'
for _, name in ipairs(names) do
  local w = open[name]
  local taken = math.min(n, w.left)
  if taken > 0 then
    w.left = w.left - taken
    n = n - taken
    redis.call('HSET', KEYS[1], name, string.format('%d', w.left) .. ':' .. w.raw)
  end
  left = left + w.left
  if w.ends > last then
    last = w.ends
    lastraw = w.raw
  end
end
if #names > 0 then
  redis.call('PEXPIREAT', KEYS[1], lastraw)
end
return {left, lastraw}
