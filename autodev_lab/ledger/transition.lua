-- The ledger's rules on Redis: every command is this one script, hence one atomic step.
--
-- It implements `autodev_lab.ledger.transition`, which is the specification; property tests hold the two against each
-- other.
--
-- It is put together for each ledger: in front of it come ROLE (stage -> who acts on it) and LEADS (" stage>stage " where a
-- completion may lead from one to the other) from `autodev_lab.workflow`, and the ledger's settings: MAX_TRIES (before a task is a dead letter),
-- MAX_OPEN (open tasks above which submit refuses, or nil), WORK_LENGTH and LOG_LENGTH (of a stream of wake-ups and of the
-- log; 0 is no log).
--
-- KEYS[1] is "<prefix>:{<shard>}:". Every key is that and one of the names below; the braces make Redis Cluster keep them on
-- one node. The others are not declared: to send their names took longer than to carry out most commands.
--   tasks           hash     id -> the task, as JSON
--   states          hash     id -> [stage, fence, tries, reworks, reason, agent, expiry, entries, rank, after], as JSON; expiry
--                            is text ("" without a lease) so that no digit is lost; an archived task has "archived:<stage>"
--   history         hash     "<n>:<id>" -> [stage, agent, time, result], as JSON: the n-th completed stage of a task
--   waiting:<role>  zset     "<rank>:<id>", all with score 0: what the role can claim, in order
--   leases          zset     id -> expiry
--   counts          hash     submitted, open, closed (tasks); number (of the next task); map (version of the shard map)
--   requests        hash     client -> its last request and what came of it: asking again changes nothing
--   dependants      hash     id -> ids of tasks here that wait for it, as JSON; it may live in another shard
--   closed          list     ids of closed tasks that are not archived, oldest first
--   moving          hash     id -> [task, state, completed stages...] of a task on its way to another shard
--   log             stream   every command that was carried out, trimmed
--   limits          string   what all clients must agree on, as JSON (written when a client opens the ledger)
--   work:<role>     stream   a wake-up for one idle agent of the role (a consumer group a role), trimmed
--   news            channel  every stage that a task reaches
-- ARGV
--   [1] command  [2] client  [3] request ("" when it may be carried out twice)  [4] now ("" is this server's clock)
--   [5...] the command's own
-- A rank is 16 + 16 + 13 hexadecimal digits: priority (reversed), arrival, number of submission.
--
-- Whatever is made here is made anew for every command, and a function or a table takes about as long as a key that is read.
-- So only what a command needs is made; most commands are claims, and completions that close nothing.

local STATES, COUNTS = KEYS[1] .. 'states', KEYS[1] .. 'counts'
local RANK_LENGTH = 45
local EXPIRED_AT_ONCE = 100
local NODE_LENGTH = 100  -- entries that a stream forgets at once, unless Redis is configured otherwise
local NOTHING = {}

local command, client, request = ARGV[1], ARGV[2], ARGV[3]

local now = tonumber(ARGV[4])
if not now then
  local clock = redis.call('TIME')
  now = clock[1] + clock[2] / 1000000
end
local NOW = string.format('%.17g', now)

-- ------------------------------------------------------------------------------------------------------ states

local function load(id)
  local packed = redis.call('HGET', STATES, id)
  if not packed then
    return nil
  end
  if string.sub(packed, 1, 9) == 'archived:' then
    return {stage = string.sub(packed, 10), fence = 0, tries = 0, archived = true, after = NOTHING}
  end
  local s = cjson.decode(packed)
  return {stage = s[1], fence = s[2], tries = s[3], reworks = s[4], reason = s[5], agent = s[6],
          expires = tonumber(s[7]), entries = s[8], rank = s[9], after = s[10] or NOTHING}, packed
end

local function save(id, s)
  -- an empty table would be written as an object
  local text = cjson.encode({s.stage, s.fence, s.tries, s.reworks, s.reason, s.agent,
                             s.expires and string.format('%.17g', s.expires) or '', s.entries, s.rank,
                             #s.after > 0 and s.after or nil})
  redis.call('HSET', STATES, id, text)
  return text
end

local function whole(id, s, text)
  local answer = {'state', redis.call('HGET', KEYS[1] .. 'tasks', id), text}
  if s.entries > 0 then
    local fields = {}
    for n = 1, s.entries do
      fields[n] = (n - 1) .. ':' .. id
    end
    for n, entry in ipairs(redis.call('HMGET', KEYS[1] .. 'history', unpack(fields))) do
      answer[3 + n] = entry
    end
  end
  return answer
end

local note
if LOG_LENGTH > 0 then
  function note(...)
    redis.call('XADD', KEYS[1] .. 'log', 'MAXLEN', '~', LOG_LENGTH, '*', 'at', NOW, ...)
  end
end

-- A request that comes again, because its answer was lost, is answered again and carried out no second time. Of each client
-- "<request>|<answer>|<what a claim got>" is kept.
if request ~= '' then
  local known = redis.call('HGET', KEYS[1] .. 'requests', client)
  if known and string.sub(known, 1, #request + 1) == request .. '|' then
    local kind, fence, id = string.match(known, '^([^|]*)|(%d*) ?(.*)$', #request + 2)
    if kind ~= 'state' then
      return {kind}
    end
    local s, text = load(id)
    if s and s.expires and s.fence == tonumber(fence) then
      return whole(id, s, text)
    end
    return {'none'}
  end
end

-- ------------------------------------------------------------------------------------------------------- rules

-- what a command that changes a stage needs: every one but a claim that finds no lease that ran out
local place, tell, append, free, advance, held
local late = command == 'claim' and redis.call('ZRANGEBYSCORE', KEYS[1] .. 'leases', '-inf', NOW, 'LIMIT', 0, 1)[1]
if command ~= 'claim' or late then
  -- What a task's new stage means for the indices.
  function place(id, s)
    local role = ROLE[s.stage]
    if not role then
      redis.call('HINCRBY', COUNTS, 'open', -1)
      redis.call('HINCRBY', COUNTS, 'closed', 1)
      redis.call('RPUSH', KEYS[1] .. 'closed', id)
    elseif #s.after == 0 then
      redis.call('ZADD', KEYS[1] .. 'waiting:' .. role, 0, s.rank .. ':' .. id)
    end
  end

  function tell(id, stage)
    local role = ROLE[stage]
    if role then
      local work = KEYS[1] .. 'work:' .. role
      redis.call('XADD', work, '*', 'task', id, 'stage', stage, 'at', NOW)
      if redis.call('XLEN', work) > WORK_LENGTH + NODE_LENGTH then  -- XADD itself takes longer to see that
        redis.call('XTRIM', work, 'MAXLEN', '~', WORK_LENGTH)
      end
    end
    redis.call('PUBLISH', KEYS[1] .. 'news', stage .. ' ' .. NOW .. ' ' .. id)
  end

  function append(id, s, stage, agent, result)
    redis.call('HSET', KEYS[1] .. 'history', s.entries .. ':' .. id,
               string.sub(cjson.encode({stage, agent}), 1, -2) .. ',' .. NOW .. ',' .. result .. ']')
    s.entries = s.entries + 1
  end

  function free(id, s)
    if s.expires then
      redis.call('ZREM', KEYS[1] .. 'leases', id)
    end
    s.agent, s.expires = '', nil
  end

  function advance(id, s, stage, agent, result, reason)
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

  -- The task of whoever holds the running lease; nil and the reason for everybody else.
  function held(id, fence, agent)
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
end

-- what a command needs that submits or closes a task, or frees one
local add, hear, settle, count_try, expire
if command ~= 'claim' and command ~= 'complete' or late or command == 'complete' and (ARGV[10] ~= '' or not ROLE[ARGV[8]]) then
  function add(id, task, rank, after)
    local number = redis.call('HINCRBY', COUNTS, 'number', 1) - 1
    redis.call('HINCRBY', COUNTS, 'submitted', 1)
    redis.call('HINCRBY', COUNTS, 'open', 1)
    local s = {stage = 'fetched', fence = 0, tries = 0, reworks = 0, reason = '', agent = '', entries = 0,
               rank = rank .. string.format('%013x', number), after = after}
    redis.call('HSET', KEYS[1] .. 'tasks', id, task)
    save(id, s)
    place(id, s)
    if #after == 0 then
      tell(id, 'fetched')
    end
    return s
  end

  local function successor_of(id)
    local follow_up = string.match(id, '^[^~]*') .. '~' .. ((tonumber(string.match(id, '~(%d+)$')) or 0) + 1)
    return redis.call('HEXISTS', STATES, follow_up) == 1 and follow_up or nil
  end

  -- A waiting task hears how a dependency was closed; true when that changed it.
  function hear(id, dependency, stage, follow_up)
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
    if note then
      note('command', 'settle', 'task', id, 'dependency', dependency, 'stage', stage)
    end
    return true
  end

  -- Tell whom it concerns how tasks were closed: those that wait for this one, or itself, and so on from there.
  function settle(first)
    local changed, at = {first}, 1
    while at <= #changed do
      local id = changed[at]
      at = at + 1
      local s = load(id)
      if not ROLE[s.stage] then
        local waiting = redis.call('HGET', KEYS[1] .. 'dependants', id)
        if waiting then
          redis.call('HDEL', KEYS[1] .. 'dependants', id)
          for _, dependant in ipairs(cjson.decode(waiting)) do
            if hear(dependant, id, s.stage, successor_of(id)) then
              changed[#changed + 1] = dependant
            end
          end
        end
      else
        for _, dependency in ipairs(s.after) do
          local other = load(dependency)
          if other and not ROLE[other.stage] then
            if hear(id, dependency, other.stage, successor_of(dependency)) then
              changed[#changed + 1] = id
            end
          else
            local known = redis.call('HGET', KEYS[1] .. 'dependants', dependency)
            local waiting = known and cjson.decode(known) or {}
            local there = false
            for _, name in ipairs(waiting) do
              there = there or name == id
            end
            if not there then
              waiting[#waiting + 1] = id
              redis.call('HSET', KEYS[1] .. 'dependants', dependency, cjson.encode(waiting))
            end
          end
        end
      end
    end
  end

  function count_try(id, s, reason)
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
    if not ROLE[s.stage] then
      settle(id)
    end
  end

  function expire()
    local due = redis.call('ZRANGEBYSCORE', KEYS[1] .. 'leases', '-inf', NOW, 'LIMIT', 0, EXPIRED_AT_ONCE)
    for _, id in ipairs(due) do
      local s = load(id)
      if note then
        note('command', 'expire', 'task', id, 'fence', s.fence, 'agent', s.agent)
      end
      count_try(id, s, 'the lease of ' .. s.agent .. ' ran out')
    end
    return #due
  end

end

-- ---------------------------------------------------------------------------------------------------- commands

local act
local granted = ''  -- "<fence> <id>" of what a claim got

if command == 'claim' then
  function act(role, agent, lease_seconds)
    if late then
      expire()
    end
    local first = redis.call('ZPOPMIN', KEYS[1] .. 'waiting:' .. role)[1]
    if not first then
      -- nothing waits for the role: wake-ups that nobody has read are for tasks that somebody has taken (the group may be missing)
      redis.pcall('XGROUP', 'SETID', KEYS[1] .. 'work:' .. role, role, '$')
      return {'none'}
    end
    local id = string.sub(first, RANK_LENGTH + 2)
    local s = load(id)
    s.fence, s.agent, s.expires = s.fence + 1, agent, now + lease_seconds
    local expires = string.format('%.17g', s.expires)
    redis.call('ZADD', KEYS[1] .. 'leases', expires, id)
    if note then
      note('command', 'claim', 'task', id, 'fence', s.fence, 'agent', agent, 'stage', s.stage, 'expires', expires)
    end
    granted = s.fence .. ' ' .. id
    return whole(id, s, save(id, s))
  end
elseif command == 'complete' then
  function act(id, fence, agent, stage, result, follow_up, task, rank)
    local s, refused = held(id, fence, agent)
    if not s then
      return {refused}
    end
    if s.stage == 'escalated' or not string.find(LEADS, ' ' .. s.stage .. '>' .. stage .. ' ', 1, true) then
      return {'wrong stage'}
    end
    if follow_up ~= '' and redis.call('HEXISTS', STATES, follow_up) == 1 then
      return {'duplicate task'}
    end
    if note then
      note('command', 'complete', 'task', id, 'fence', s.fence, 'agent', agent, 'stage', stage)
    end
    advance(id, s, stage, agent, result, '')
    if follow_up ~= '' then
      if note then
        note('command', 'submit', 'task', follow_up, 'agent', agent, 'after', '[]')
      end
      add(follow_up, task, rank, NOTHING)
    end
    if not ROLE[stage] then
      settle(id)
    end
    return {'done'}
  end
elseif command == 'submit' then
  function act(id, task, rank, after, elsewhere, map_version)
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
    if note then
      note('command', 'submit', 'task', id, 'agent', client, 'after', after)
    end
    add(id, task, rank, waits)
    if #waits > 0 then
      settle(id)
    end
    return {'done'}
  end
elseif command == 'renew' then
  function act(id, fence, agent, lease_seconds)
    local s, refused = held(id, fence, agent)
    if not s then
      return {refused}
    end
    s.expires = math.max(s.expires, now + tonumber(lease_seconds))
    if note then
      note('command', 'renew', 'task', id, 'fence', s.fence, 'agent', agent, 'expires', string.format('%.17g', s.expires))
    end
    redis.call('ZADD', KEYS[1] .. 'leases', string.format('%.17g', s.expires), id)
    return whole(id, s, save(id, s))
  end
elseif command == 'fail' then
  function act(id, fence, agent, reason)
    local s, refused = held(id, fence, agent)
    if not s then
      return {refused}
    end
    if note then
      note('command', 'fail', 'task', id, 'fence', s.fence, 'agent', agent)
    end
    count_try(id, s, reason)
    return {'done'}
  end
elseif command == 'answer' then
  -- The two stages are where the answer leads a task that was escalated before, and after, its change was exposed.
  function act(id, unexposed, exposed, result, reason)
    local s = load(id)
    if not s then
      return {'unknown task'}
    end
    if s.stage ~= 'escalated' then
      return {'wrong stage'}
    end
    local before = cjson.decode(redis.call('HGET', KEYS[1] .. 'history', (s.entries - 2) .. ':' .. id))[1]
    local stage = before == 'approved' and unexposed or exposed
    local agent = s.expires and s.agent or 'human'
    if not s.expires then
      redis.call('ZREM', KEYS[1] .. 'waiting:' .. ROLE[s.stage], s.rank .. ':' .. id)
    end
    if note then
      note('command', 'answer', 'task', id, 'agent', agent, 'stage', stage)
    end
    advance(id, s, stage, agent, result, reason)
    if not ROLE[s.stage] then
      settle(id)
    end
    return {'done'}
  end
elseif command == 'expire' then
  function act()
    return {'counted', expire()}
  end
elseif command == 'state' then
  function act(id)
    local s, text = load(id)
    if not s or s.archived then
      return {'none'}
    end
    return whole(id, s, text)
  end
elseif command == 'forget' then
  -- Take closed tasks out once they are safe elsewhere; their ids stay taken. Only while they are the oldest, in order, so
  -- that of two who archive at a time none forgets what it has not read.
  function act(...)
    local gone = 0
    for _, id in ipairs({...}) do
      if redis.call('LINDEX', KEYS[1] .. 'closed', 0) ~= id then
        break
      end
      redis.call('LPOP', KEYS[1] .. 'closed')
      local s = load(id)
      for n = 0, s.entries - 1 do
        redis.call('HDEL', KEYS[1] .. 'history', n .. ':' .. id)
      end
      redis.call('HDEL', KEYS[1] .. 'tasks', id)
      redis.call('HSET', STATES, id, 'archived:' .. s.stage)
      gone = gone + 1
    end
    return {'counted', gone}
  end
elseif command == 'awaited' then
  -- Dependencies that live in other shards, as far as this one knows.
  function act()
    local answer = {'awaited'}
    for _, id in ipairs(redis.call('HKEYS', KEYS[1] .. 'dependants')) do
      if redis.call('HEXISTS', STATES, id) == 0 and redis.call('HEXISTS', KEYS[1] .. 'moving', id) == 0 then
        answer[#answer + 1] = id
      end
    end
    return answer
  end
elseif command == 'settle' then
  -- Tell those who wait here for a task of another shard how it was closed.
  function act(dependency, stage, follow_up)
    local waiting = redis.call('HGET', KEYS[1] .. 'dependants', dependency)
    if not waiting then
      return {'counted', 0}
    end
    redis.call('HDEL', KEYS[1] .. 'dependants', dependency)
    local told = 0
    for _, id in ipairs(cjson.decode(waiting)) do
      if hear(id, dependency, stage, follow_up ~= '' and follow_up or nil) then
        settle(id)
        told = told + 1
      end
    end
    return {'counted', told}
  end
elseif command == 'follow' then
  -- From now on tasks are submitted by this version of the shard map, or a newer one.
  function act(version)
    if (tonumber(redis.call('HGET', COUNTS, 'map')) or 0) < tonumber(version) then
      redis.call('HSET', COUNTS, 'map', version)
    end
    return {'done'}
  end
elseif command == 'known' then
  -- Whether an id is taken here, on its way or archived.
  function act(id)
    return {'counted', redis.call('HEXISTS', STATES, id) + redis.call('HEXISTS', KEYS[1] .. 'moving', id)}
  end
elseif command == 'depart' then
  -- A task leaves for another shard: nobody can claim it any more, and it counts as open here until it has arrived there.
  function act(id)
    local on_its_way = redis.call('HGET', KEYS[1] .. 'moving', id)
    if on_its_way then
      return {'moving', on_its_way}
    end
    local s, text = load(id)
    if not s then
      return {'unknown task'}
    end
    if s.expires then
      return {'not available'}
    end
    local parts = {'', text}
    if not s.archived then
      parts = {unpack(whole(id, s, text), 2)}
      if not ROLE[s.stage] then
        redis.call('LREM', KEYS[1] .. 'closed', 1, id)
      elseif #s.after == 0 then
        redis.call('ZREM', KEYS[1] .. 'waiting:' .. ROLE[s.stage], s.rank .. ':' .. id)
      end
      for n = 0, s.entries - 1 do
        redis.call('HDEL', KEYS[1] .. 'history', n .. ':' .. id)
      end
    end
    redis.call('HDEL', KEYS[1] .. 'tasks', id)
    redis.call('HDEL', STATES, id)
    local record = cjson.encode(parts)
    redis.call('HSET', KEYS[1] .. 'moving', id, record)
    if note then
      note('command', 'depart', 'task', id)
    end
    return {'moving', record}
  end
elseif command == 'arrive' then
  -- A task comes from another shard; coming twice changes nothing.
  function act(id, record)
    if redis.call('HEXISTS', STATES, id) == 1 then
      return {'done'}
    end
    local parts = cjson.decode(record)
    local number = redis.call('HINCRBY', COUNTS, 'number', 1) - 1
    redis.call('HINCRBY', COUNTS, 'submitted', 1)
    redis.call('HINCRBY', COUNTS, 'open', 1)
    if note then
      note('command', 'arrive', 'task', id)
    end
    if string.sub(parts[2], 1, 9) == 'archived:' then
      redis.call('HSET', STATES, id, parts[2])
      redis.call('HINCRBY', COUNTS, 'open', -1)
      redis.call('HINCRBY', COUNTS, 'closed', 1)
      return {'done'}
    end
    redis.call('HSET', KEYS[1] .. 'tasks', id, parts[1])
    redis.call('HSET', STATES, id, parts[2])
    local s = load(id)
    s.rank = string.sub(s.rank, 1, RANK_LENGTH - 13) .. string.format('%013x', number)
    for n = 0, s.entries - 1 do
      redis.call('HSET', KEYS[1] .. 'history', n .. ':' .. id, parts[3 + n])
    end
    save(id, s)
    place(id, s)
    if ROLE[s.stage] and #s.after == 0 then
      tell(id, s.stage)
    end
    settle(id)
    return {'done'}
  end
elseif command == 'departed' then
  -- A task has arrived elsewhere.
  function act(id)
    local record = redis.call('HGET', KEYS[1] .. 'moving', id)
    if not record then
      return {'counted', 0}
    end
    redis.call('HDEL', KEYS[1] .. 'moving', id)
    local packed_state = cjson.decode(record)[2]
    local closed = string.sub(packed_state, 1, 9) == 'archived:' or not ROLE[cjson.decode(packed_state)[1]]
    redis.call('HINCRBY', COUNTS, 'submitted', -1)
    redis.call('HINCRBY', COUNTS, closed and 'closed' or 'open', -1)
    return {'counted', 1}
  end
elseif command == 'leave' then
  -- A client that ends needs no answer again.
  function act(name)
    return {'counted', redis.call('HDEL', KEYS[1] .. 'requests', name)}
  end
end

local answer = act(unpack(ARGV, 5))

if request ~= '' and answer[1] ~= 'none' then  -- who found nothing may look again
  redis.call('HSET', KEYS[1] .. 'requests', client, request .. '|' .. answer[1] .. '|' .. granted)
end
return answer
