-- The ledger's rules on Redis: every command is this one script, hence one atomic step.
--
-- It implements `autodev_lab.ledger.transition`, which is the specification; property tests hold the two against each
-- other.
--
-- It is put together for each ledger: in front of it come ROLE (stage -> who acts on it) and LEADS ("stage stage" where a
-- completion may lead from one to the other) from `autodev_lab.workflow`, and the ledger's settings: MAX_TRIES (before a task is a dead letter),
-- MAX_OPEN (open tasks above which submit refuses, or nil), WORK_LENGTH and LOG_LENGTH (of a stream of wake-ups and of the
-- log; 0 is no log).
--
-- KEYS[1] is "<prefix>:{<shard>}:". Every key is that and one of the names below; the braces make Redis Cluster keep them on
-- one node. The others are not declared: to send their names took longer than to carry out most commands.
--   tasks        hash     id -> the task, as JSON
--   states       hash     id -> [stage, fence, tries, reworks, reason, agent, expiry, entries, rank, after], as JSON; expiry
--                         is text ("" without a lease) so that no digit is lost; an archived task has "archived:<stage>"
--   history      hash     "<n>:<id>" -> [stage, agent, time, result], as JSON: the n-th completed stage of a task
--   waiting      zset     "<role>:<rank>:<id>", all with score 0: what can be claimed, in order
--   leases       zset     id -> expiry
--   counts       hash     submitted, open, closed (tasks); number (of the next task); map (version of the shard map)
--   requests     hash     client -> its last request and what came of it: asking again changes nothing
--   dependants   hash     id -> ids of tasks here that wait for it, as JSON; it may live in another shard
--   closed       list     ids of closed tasks that are not archived, oldest first
--   moving       hash     id -> [task, state, completed stages...] of a task on its way to another shard
--   log          stream   every command that was carried out, trimmed
--   limits       string   what all clients must agree on, as JSON (written when a client opens the ledger)
--   work:<role>  stream   a wake-up for one idle agent of the role (a consumer group a role), trimmed
--   news         channel  every stage that a task reaches
-- ARGV
--   [1] command  [2] client  [3] request ("" when it may be carried out twice)  [4] now ("" is this server's clock)
--   [5...] the command's own
-- A rank is 16 + 16 + 13 hexadecimal digits: priority (reversed), arrival, number of submission.

local BASE = KEYS[1]
local TASKS, STATES, HISTORY, WAITING = BASE .. 'tasks', BASE .. 'states', BASE .. 'history', BASE .. 'waiting'
local LEASES, COUNTS, REQUESTS, LOG = BASE .. 'leases', BASE .. 'counts', BASE .. 'requests', BASE .. 'log'
local DEPENDANTS, CLOSED, MOVING, NEWS = BASE .. 'dependants', BASE .. 'closed', BASE .. 'moving', BASE .. 'news'
local RANK_LENGTH = 45
local EXPIRED_AT_ONCE = 100

local command, client, request = ARGV[1], ARGV[2], ARGV[3]

local now = tonumber(ARGV[4])
if not now then
  local clock = redis.call('TIME')
  now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
end

local function digits(number)
  return string.format('%.17g', number)
end

-- ------------------------------------------------------------------------------------------------------ states

local function load(id)
  local packed = redis.call('HGET', STATES, id)
  if not packed then
    return nil
  end
  if string.sub(packed, 1, 9) == 'archived:' then
    return {stage = string.sub(packed, 10), fence = 0, tries = 0, archived = true, after = {}}
  end
  local s = cjson.decode(packed)
  return {stage = s[1], fence = s[2], tries = s[3], reworks = s[4], reason = s[5], agent = s[6],
          expires = tonumber(s[7]), entries = s[8], rank = s[9], after = s[10] or {}}
end

local function packed(s)
  local fields = {s.stage, s.fence, s.tries, s.reworks, s.reason, s.agent, s.expires and digits(s.expires) or '',
                  s.entries, s.rank}
  if #s.after > 0 then  -- an empty table would be written as an object
    fields[10] = s.after
  end
  return cjson.encode(fields)
end

local function save(id, s)
  local text = packed(s)
  redis.call('HSET', STATES, id, text)
  return text
end

local function is_closed(s)
  return not ROLE[s.stage]
end

local function append(id, s, stage, agent, result)
  redis.call('HSET', HISTORY, s.entries .. ':' .. id,
             '[' .. cjson.encode(stage) .. ',' .. cjson.encode(agent) .. ',' .. digits(now) .. ',' .. result .. ']')
  s.entries = s.entries + 1
end

local function member(id, s)
  return ROLE[s.stage] .. ':' .. s.rank .. ':' .. id
end

local function free(id, s)
  if s.expires then
    redis.call('ZREM', LEASES, id)
  end
  s.agent, s.expires = '', nil
end

local function tell(id, stage)
  local role = ROLE[stage]
  if role then
    redis.call('XADD', BASE .. 'work:' .. role, 'MAXLEN', '~', WORK_LENGTH, '*', 'task', id, 'stage', stage, 'at', digits(now))
  end
  redis.call('PUBLISH', NEWS, stage .. ' ' .. digits(now) .. ' ' .. id)
end

local function note(...)
  if LOG_LENGTH > 0 then
    redis.call('XADD', LOG, 'MAXLEN', '~', LOG_LENGTH, '*', 'at', digits(now), ...)
  end
end

-- What a task's new stage means for the indices.
local function place(id, s)
  if is_closed(s) then
    redis.call('HINCRBY', COUNTS, 'open', -1)
    redis.call('HINCRBY', COUNTS, 'closed', 1)
    redis.call('RPUSH', CLOSED, id)
  elseif #s.after == 0 then
    redis.call('ZADD', WAITING, 0, member(id, s))
  end
end

local function add(id, task, rank, after)
  local number = redis.call('HINCRBY', COUNTS, 'number', 1) - 1
  redis.call('HINCRBY', COUNTS, 'submitted', 1)
  redis.call('HINCRBY', COUNTS, 'open', 1)
  local s = {stage = 'fetched', fence = 0, tries = 0, reworks = 0, reason = '', agent = '', entries = 0,
             rank = rank .. string.format('%013x', number), after = after}
  redis.call('HSET', TASKS, id, task)
  save(id, s)
  place(id, s)
  if #after == 0 then
    tell(id, 'fetched')
  end
  return s
end

-- ------------------------------------------------------------------------------------------------ dependencies

local function successor_of(id)
  local follow_up = string.match(id, '^[^~]*') .. '~' .. ((tonumber(string.match(id, '~(%d+)$')) or 0) + 1)
  return redis.call('HEXISTS', STATES, follow_up) == 1 and follow_up or nil
end

-- A waiting task hears how a dependency was closed; true when that changed it.
local function hear(id, dependency, stage, follow_up)
  local s, at = load(id), nil
  if not s then  -- it has moved to another shard, which asks for itself
    return false
  end
  for i, name in ipairs(s.after) do
    if name == dependency then
      at = i
    end
  end
  if not at then
    return false
  end
  if stage ~= 'healthy' and not follow_up then
    s.stage, s.after, s.reason = 'abandoned', {}, 'it depends on ' .. dependency .. ', which ended as ' .. stage
    append(id, s, 'abandoned', '', 'null')
    save(id, s)
    place(id, s)
    tell(id, 'abandoned')
  else
    local kept, seen = {}, {}
    for i, name in ipairs(s.after) do
      local put = i == at and follow_up or name
      if put and not (i == at and not follow_up) and not seen[put] then
        seen[put] = true
        kept[#kept + 1] = put
      end
    end
    s.after = kept
    save(id, s)
    if #kept == 0 then
      place(id, s)
      tell(id, 'fetched')
    end
  end
  note('command', 'settle', 'task', id, 'dependency', dependency, 'stage', stage)
  return true
end

-- Tell whom it concerns how tasks were closed: those that wait for this one, or itself, and so on from there.
local function settle(first)
  local changed, at = {first}, 1
  while at <= #changed do
    local id = changed[at]
    at = at + 1
    local s = load(id)
    if is_closed(s) then
      local waiting = redis.call('HGET', DEPENDANTS, id)
      if waiting then
        redis.call('HDEL', DEPENDANTS, id)
        for _, dependant in ipairs(cjson.decode(waiting)) do
          if hear(dependant, id, s.stage, successor_of(id)) then
            changed[#changed + 1] = dependant
          end
        end
      end
    else
      for _, dependency in ipairs(s.after) do
        local other = load(dependency)
        if other and is_closed(other) then
          if hear(id, dependency, other.stage, successor_of(dependency)) then
            changed[#changed + 1] = id
          end
        else
          local known = redis.call('HGET', DEPENDANTS, dependency)
          local waiting = known and cjson.decode(known) or {}
          local there = false
          for _, name in ipairs(waiting) do
            there = there or name == id
          end
          if not there then
            waiting[#waiting + 1] = id
            redis.call('HSET', DEPENDANTS, dependency, cjson.encode(waiting))
          end
        end
      end
    end
  end
end

-- ------------------------------------------------------------------------------------------------------- rules

local function advance(id, s, stage, agent, result, reason)
  free(id, s)
  append(id, s, stage, agent, result)
  s.stage, s.tries, s.reason = stage, 0, reason
  if stage == 'rejected' then
    s.reworks = s.reworks + 1
  end
  save(id, s)
  place(id, s)
  tell(id, stage)
end

local function count_try(id, s, reason)
  local holder = s.agent
  free(id, s)
  s.tries, s.reason = s.tries + 1, reason
  if s.tries >= MAX_TRIES and s.stage ~= 'escalated' then
    s.stage = 'dead_letter'
    append(id, s, 'dead_letter', holder, 'null')
  end
  save(id, s)
  place(id, s)
  tell(id, s.stage)
  if is_closed(s) then
    settle(id)
  end
end

local function expire()
  local due = redis.call('ZRANGEBYSCORE', LEASES, '-inf', digits(now), 'LIMIT', 0, EXPIRED_AT_ONCE)
  for _, id in ipairs(due) do
    local s = load(id)
    note('command', 'expire', 'task', id, 'fence', s.fence, 'agent', s.agent)
    count_try(id, s, 'the lease of ' .. s.agent .. ' ran out')
  end
  return #due
end

-- The task of whoever holds the running lease; nil and the reason for everybody else.
local function held(id, fence, agent)
  local s = load(id)
  if not s then
    return nil, 'unknown task'
  end
  if not s.expires or s.fence ~= tonumber(fence) or s.agent ~= agent then
    return nil, 'stale fence'
  end
  if s.expires <= now then
    return nil, 'lease expired'
  end
  return s
end

local function whole(id, s, text)
  local answer = {'state', redis.call('HGET', TASKS, id), text or packed(s)}
  if s.entries > 0 then
    local fields = {}
    for n = 0, s.entries - 1 do
      fields[n + 1] = n .. ':' .. id
    end
    for _, entry in ipairs(redis.call('HMGET', HISTORY, unpack(fields))) do
      answer[#answer + 1] = entry
    end
  end
  return answer
end

-- ---------------------------------------------------------------------------------------------------- commands

local commands = {}
local granted = ''  -- "<fence> <id>" of what a claim got

function commands.submit(id, task, rank, after, elsewhere, map_version)
  if (tonumber(redis.call('HGET', COUNTS, 'map')) or 0) > tonumber(map_version) then
    return {'stale map'}
  end
  if redis.call('HEXISTS', STATES, id) == 1 then
    return {'duplicate task'}
  end
  local waits, seen, known = {}, {}, {}
  for _, dependency in ipairs(cjson.decode(elsewhere)) do
    known[dependency] = true
  end
  for _, dependency in ipairs(cjson.decode(after)) do
    if not known[dependency] and redis.call('HEXISTS', STATES, dependency) == 0 then
      return {'unknown dependency'}
    end
    if not seen[dependency] then
      seen[dependency] = true
      waits[#waits + 1] = dependency
    end
  end
  if MAX_OPEN and (tonumber(redis.call('HGET', COUNTS, 'open')) or 0) >= MAX_OPEN then
    return {'full'}
  end
  note('command', 'submit', 'task', id, 'agent', client, 'after', after)
  add(id, task, rank, waits)
  if #waits > 0 then
    settle(id)
  end
  return {'done'}
end

function commands.claim(role, agent, lease_seconds)
  expire()
  local first = redis.call('ZRANGEBYLEX', WAITING, '[' .. role .. ':', '(' .. role .. ';', 'LIMIT', 0, 1)[1]
  if not first then
    return {'none'}
  end
  local id = string.sub(first, #role + RANK_LENGTH + 3)
  local s = load(id)
  redis.call('ZREM', WAITING, first)
  s.fence, s.agent, s.expires = s.fence + 1, agent, now + tonumber(lease_seconds)
  redis.call('ZADD', LEASES, digits(s.expires), id)
  note('command', 'claim', 'task', id, 'fence', s.fence, 'agent', agent, 'stage', s.stage, 'expires', digits(s.expires))
  granted = s.fence .. ' ' .. id
  return whole(id, s, save(id, s))
end

function commands.renew(id, fence, agent, lease_seconds)
  local s, refused = held(id, fence, agent)
  if not s then
    return {refused}
  end
  s.expires = math.max(s.expires, now + tonumber(lease_seconds))
  note('command', 'renew', 'task', id, 'fence', s.fence, 'agent', agent, 'expires', digits(s.expires))
  redis.call('ZADD', LEASES, digits(s.expires), id)
  return whole(id, s, save(id, s))
end

function commands.complete(id, fence, agent, stage, result, follow_up, task, rank)
  local s, refused = held(id, fence, agent)
  if not s then
    return {refused}
  end
  if s.stage == 'escalated' or not LEADS[s.stage .. ' ' .. stage] then
    return {'wrong stage'}
  end
  if follow_up ~= '' and redis.call('HEXISTS', STATES, follow_up) == 1 then
    return {'duplicate task'}
  end
  note('command', 'complete', 'task', id, 'fence', s.fence, 'agent', agent, 'stage', stage)
  advance(id, s, stage, agent, result, '')
  if follow_up ~= '' then
    note('command', 'submit', 'task', follow_up, 'agent', agent, 'after', '[]')
    add(follow_up, task, rank, {})
  end
  if is_closed(s) then
    settle(id)
  end
  return {'done'}
end

function commands.fail(id, fence, agent, reason)
  local s, refused = held(id, fence, agent)
  if not s then
    return {refused}
  end
  note('command', 'fail', 'task', id, 'fence', s.fence, 'agent', agent)
  count_try(id, s, reason)
  return {'done'}
end

function commands.answer(id, stage, result, reason)
  local s = load(id)
  if not s then
    return {'unknown task'}
  end
  if s.stage ~= 'escalated' then
    return {'wrong stage'}
  end
  local agent = s.expires and s.agent or 'human'
  if not s.expires then
    redis.call('ZREM', WAITING, member(id, s))
  end
  note('command', 'answer', 'task', id, 'agent', agent, 'stage', stage)
  advance(id, s, stage, agent, result, reason)
  if is_closed(s) then
    settle(id)
  end
  return {'done'}
end

function commands.expire()
  return {'counted', expire()}
end

function commands.state(id)
  local s = load(id)
  if not s or s.archived then
    return {'none'}
  end
  return whole(id, s)
end

-- Commands that are seldom sent; each function costs every command a little, this one once.
local function seldom()
  -- Take closed tasks out once they are safe elsewhere; their ids stay taken. Only while they are the oldest, in order, so
  -- that of two who archive at a time none forgets what it has not read.
  function commands.forget(...)
    local gone = 0
    for _, id in ipairs({...}) do
      if redis.call('LINDEX', CLOSED, 0) ~= id then
        break
      end
      redis.call('LPOP', CLOSED)
      local s = load(id)
      for n = 0, s.entries - 1 do
        redis.call('HDEL', HISTORY, n .. ':' .. id)
      end
      redis.call('HDEL', TASKS, id)
      redis.call('HSET', STATES, id, 'archived:' .. s.stage)
      gone = gone + 1
    end
    return {'counted', gone}
  end

  -- Dependencies that live in other shards, as far as this one knows.
  function commands.awaited()
    local answer = {'awaited'}
    for _, id in ipairs(redis.call('HKEYS', DEPENDANTS)) do
      if redis.call('HEXISTS', STATES, id) == 0 and redis.call('HEXISTS', MOVING, id) == 0 then
        answer[#answer + 1] = id
      end
    end
    return answer
  end

  -- Tell those who wait here for a task of another shard how it was closed.
  function commands.settle(dependency, stage, follow_up)
    local waiting = redis.call('HGET', DEPENDANTS, dependency)
    if not waiting then
      return {'counted', 0}
    end
    redis.call('HDEL', DEPENDANTS, dependency)
    local told = 0
    for _, id in ipairs(cjson.decode(waiting)) do
      if hear(id, dependency, stage, follow_up ~= '' and follow_up or nil) then
        settle(id)
        told = told + 1
      end
    end
    return {'counted', told}
  end

  -- From now on tasks are submitted by this version of the shard map, or a newer one.
  function commands.follow(version)
    if (tonumber(redis.call('HGET', COUNTS, 'map')) or 0) < tonumber(version) then
      redis.call('HSET', COUNTS, 'map', version)
    end
    return {'done'}
  end

  -- Whether an id is taken here, on its way or archived.
  function commands.known(id)
    return {'counted', redis.call('HEXISTS', STATES, id) + redis.call('HEXISTS', MOVING, id)}
  end

  -- A task leaves for another shard: nobody can claim it any more, and it counts as open here until it has arrived there.
  function commands.depart(id)
    local on_its_way = redis.call('HGET', MOVING, id)
    if on_its_way then
      return {'moving', on_its_way}
    end
    local s = load(id)
    if not s then
      return {'unknown task'}
    end
    if s.expires then
      return {'not available'}
    end
    local parts = {'', redis.call('HGET', STATES, id)}
    if not s.archived then
      local all = whole(id, s)
      parts = {unpack(all, 2)}
      if is_closed(s) then
        redis.call('LREM', CLOSED, 1, id)
      elseif #s.after == 0 then
        redis.call('ZREM', WAITING, member(id, s))
      end
      for n = 0, s.entries - 1 do
        redis.call('HDEL', HISTORY, n .. ':' .. id)
      end
    end
    redis.call('HDEL', TASKS, id)
    redis.call('HDEL', STATES, id)
    local record = cjson.encode(parts)
    redis.call('HSET', MOVING, id, record)
    note('command', 'depart', 'task', id)
    return {'moving', record}
  end

  -- A task comes from another shard; coming twice changes nothing.
  function commands.arrive(id, record)
    if redis.call('HEXISTS', STATES, id) == 1 then
      return {'done'}
    end
    local parts = cjson.decode(record)
    local number = redis.call('HINCRBY', COUNTS, 'number', 1) - 1
    redis.call('HINCRBY', COUNTS, 'submitted', 1)
    redis.call('HINCRBY', COUNTS, 'open', 1)
    note('command', 'arrive', 'task', id)
    if string.sub(parts[2], 1, 9) == 'archived:' then
      redis.call('HSET', STATES, id, parts[2])
      redis.call('HINCRBY', COUNTS, 'open', -1)
      redis.call('HINCRBY', COUNTS, 'closed', 1)
      return {'done'}
    end
    redis.call('HSET', TASKS, id, parts[1])
    redis.call('HSET', STATES, id, parts[2])
    local s = load(id)
    s.rank = string.sub(s.rank, 1, RANK_LENGTH - 13) .. string.format('%013x', number)
    for n = 0, s.entries - 1 do
      redis.call('HSET', HISTORY, n .. ':' .. id, parts[3 + n])
    end
    save(id, s)
    place(id, s)
    if not is_closed(s) and #s.after == 0 then
      tell(id, s.stage)
    end
    settle(id)
    return {'done'}
  end

  -- A task has arrived elsewhere.
  function commands.departed(id)
    local record = redis.call('HGET', MOVING, id)
    if not record then
      return {'counted', 0}
    end
    redis.call('HDEL', MOVING, id)
    local packed_state = cjson.decode(record)[2]
    local closed = string.sub(packed_state, 1, 9) == 'archived:' or not ROLE[cjson.decode(packed_state)[1]]
    redis.call('HINCRBY', COUNTS, 'submitted', -1)
    redis.call('HINCRBY', COUNTS, closed and 'closed' or 'open', -1)
    return {'counted', 1}
  end

  -- A client that ends needs no answer again.
  function commands.leave(name)
    return {'counted', redis.call('HDEL', REQUESTS, name)}
  end
end

if not commands[command] then
  seldom()
end

-- A request that comes again, because its answer was lost, is answered again and carried out no second time. Of each client
-- "<request>|<answer>|<what a claim got>" is kept.
if request ~= '' then
  local known = redis.call('HGET', REQUESTS, client)
  if known and string.sub(known, 1, #request + 1) == request .. '|' then
    local kind, fence, id = string.match(known, '^([^|]*)|(%d*) ?(.*)$', #request + 2)
    if kind ~= 'state' then
      return {kind}
    end
    local s = load(id)
    if s and s.expires and s.fence == tonumber(fence) then
      return whole(id, s)
    end
    return {'none'}
  end
end

local answer = commands[command](unpack(ARGV, 5))

if request ~= '' then
  redis.call('HSET', REQUESTS, client, request .. '|' .. answer[1] .. '|' .. granted)
end
return answer
