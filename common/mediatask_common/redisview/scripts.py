"""What Redis carries out as one step, in Lua."""

from __future__ import annotations

# KEYS: task hash, names set, durations list, list of what is charged of them. ARGV: rv, name, score, doc ('' deletes),
# tombstone seconds, completion time ('' while it has not completed), duration, durations kept, usage key ('' while it
# has not ended), field and milliseconds of it, seconds to keep it, charged seconds, cost key ('' while nothing is
# charged), field and millionths of it, index keys...
WRITE = """
local known = redis.call('HGET', KEYS[1], 'rv')
if known and tonumber(known) >= tonumber(ARGV[1]) then return 0 end
local before = redis.call('HGET', KEYS[1], 'keys')
if before then for key in string.gmatch(before, '[^\\n]+') do redis.call('ZREM', key, ARGV[2]) end end
local timed = redis.call('HGET', KEYS[1], 'timed') or ''
local used = redis.call('HGET', KEYS[1], 'used') or ''
local paid = redis.call('HGET', KEYS[1], 'paid') or ''
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'rv', ARGV[1])
if ARGV[4] == '' then
  redis.call('SREM', KEYS[2], ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  return 1
end
local keys = {}
for i = 17, #ARGV do
  redis.call('ZADD', ARGV[i], ARGV[3], ARGV[2])
  keys[#keys + 1] = ARGV[i]
end
redis.call('HSET', KEYS[1], 'doc', ARGV[4], 'keys', table.concat(keys, '\\n'))
redis.call('SADD', KEYS[2], ARGV[2])
if ARGV[6] ~= '' and ARGV[6] ~= timed then
  redis.call('LPUSH', KEYS[3], ARGV[7])
  redis.call('LTRIM', KEYS[3], 0, ARGV[8] - 1)
  redis.call('LPUSH', KEYS[4], ARGV[13])
  redis.call('LTRIM', KEYS[4], 0, ARGV[8] - 1)
  timed = ARGV[6]
end
if ARGV[9] ~= '' then
  local key, field, spent = string.match(used, '^([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)$')
  if key and redis.call('EXISTS', key) == 1 then
    redis.call('HINCRBY', key, 'n|' .. field, -1)
    redis.call('HINCRBY', key, 'g|' .. field, 0 - spent)
  end
  redis.call('HINCRBY', ARGV[9], 'n|' .. ARGV[10], 1)
  redis.call('HINCRBY', ARGV[9], 'g|' .. ARGV[10], ARGV[11])
  redis.call('EXPIRE', ARGV[9], ARGV[12])
  used = ARGV[9] .. '\\n' .. ARGV[10] .. '\\n' .. ARGV[11]
end
if ARGV[9] ~= '' then
  local key, field, spent = string.match(paid, '^([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)$')
  if key and redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, field, 0 - spent) end
  paid = ''
  if ARGV[14] ~= '' then
    redis.call('HINCRBY', ARGV[14], ARGV[15], ARGV[16])
    redis.call('EXPIRE', ARGV[14], ARGV[12])
    paid = ARGV[14] .. '\\n' .. ARGV[15] .. '\\n' .. ARGV[16]
  end
end
redis.call('HSET', KEYS[1], 'timed', timed, 'used', used, 'paid', paid)
return 1
"""

# KEYS: sorted sets. How many members they have together.
COUNT = """
local count = 0
for _, key in ipairs(KEYS) do count = count + redis.call('ZCARD', key) end
return count
"""

# KEYS: an index. ARGV: how many to read, prefix of the tasks' hashes, how many to leave out.
SKIP = "local start = tonumber(ARGV[3])\n"

# ARGV: the same, but score and name of the task after which to read. Whether it is still there or not: the place of a
# task that is gone is found by putting it there for this moment.
AFTER = """
local known = redis.call('ZSCORE', KEYS[1], ARGV[4])
local start
if known and tonumber(known) == tonumber(ARGV[3]) then
  start = redis.call('ZREVRANK', KEYS[1], ARGV[4]) + 1
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
  start = redis.call('ZREVRANK', KEYS[1], ARGV[4])
  if known then redis.call('ZADD', KEYS[1], known, ARGV[4]) else redis.call('ZREM', KEYS[1], ARGV[4]) end
end
"""

READ = """
local docs = {}
for i, name in ipairs(redis.call('ZREVRANGE', KEYS[1], start, start + ARGV[1] - 1)) do
  docs[i] = redis.call('HGET', ARGV[2] .. name, 'doc')
end
return {docs, redis.call('ZCARD', KEYS[1]), start}
"""
