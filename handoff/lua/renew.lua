-- renew: move on the expiry of the leases an agent names and still holds. A
-- renewal accepts what the desk had assigned.
--
-- KEYS[1] held    KEYS[2] leases  (see enqueue.lua)
-- ARGV[1] agent
-- ARGV[2] expiry, Unix ms
-- ARGV[3…] tokens
-- returns a flat list: conversation, token, generation, …
local wanted = {}
for i = 3, #ARGV do
  wanted[ARGV[i]] = true
end
local kept = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local token, generation, auto, agent = string.match(all[i + 1], '^(%S+) (%d+) (%d) (.*)$')
  if agent == ARGV[1] and wanted[token] then
    if auto ~= '0' then
      redis.call('HSET', KEYS[1], all[i], token .. ' ' .. generation .. ' 0 ' .. agent)
    end
    redis.call('ZADD', KEYS[2], ARGV[2], all[i])
    kept[#kept + 1] = all[i]
    kept[#kept + 1] = token
    kept[#kept + 1] = generation
  end
end
return kept
