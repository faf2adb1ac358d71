-- The changes that replicas make at Business Central. They make cached responses invalid on all replicas.
--
-- call, times in milliseconds; every part except `random` may be missing:
--   random     a new random value: the epochs made by this call
--   latest     after this time of the store, the call does nothing: its replica no longer waits for it
--   begun      { id = { scope, … } }   changes that begin or are in flight; or may be, for all that is known
--   ended      { id = { scope, … } }   changes with a known outcome
--   presence   what the replica promises: to register each change first, from now on and `until` a time of the store
--     replica, until
--     instance   the data that the replica registered with; with other data, the call does nothing, unless
--     tracked    is given: the environments whose changes it registers. Then `begun` has all of its changes
--     others     { replica = until }   with `tracked`: the replicas that it knew. Other data may lack them
--   leaving    a replica that makes no more changes
--   read       { environment, scopes, run }   what a cached response shows, on the server that `presence` replied
-- Replies:
--   time, instance
--   is_late, is_unknown   the call did nothing
--   run, replicas         to `presence`: the server process, and { replica = until }
--   epochs                to `read`: one for each scope, and that of the replicas. A response stays valid as long as
--                         they are the same
--   obstacle              to `read`, instead: "new", "replica" or "change"
--
-- Keys: `instance`: random, and the time at which the data began. `replicas`: a hash of "until run". `members`: the
-- epoch of the replicas. `tracked:REPLICA`: a hash of environments. `epoch:SCOPE`. `changing:SCOPE`: ids, scored with their expiry.
local call, base, time = cjson.decode(ARGV[1]), KEYS[1], math.floor(now())

-- How long Business Central works on a request at most.
local EXECUTION = 600000
-- How long replicas need at most to register again after a loss of all data.
local SETTLING = 5000
-- An epoch that is made anew only makes responses invalid.
local EPOCH = 86400000

if call.latest and time > call.latest then
    return cjson.encode({ time = time, instance = '', is_late = true })
end

local instance = redis.call('GET', base .. ':instance')
if not instance then
    instance = string.format('%s %.0f', call.random, time)
    redis.call('SET', base .. ':instance', instance)
end
local reply = { time = time, instance = instance }

local presence = call.presence
if presence and not presence.tracked and presence.instance ~= instance then
    reply.is_unknown = true
    return cjson.encode(reply)
end

local function renew(name)
    redis.call('SET', base .. name, call.random, 'PX', EPOCH)
end

-- Epochs first: without memory, the script ends there, and a change still counts as in flight.
for id, scopes in pairs(call.begun or {}) do
    for _, scope in ipairs(scopes) do
        local changing = base .. ':changing:' .. scope
        renew(':epoch:' .. scope)
        redis.call('ZREMRANGEBYSCORE', changing, '-inf', time)
        redis.call('ZADD', changing, time + EXECUTION, id)
        redis.call('PEXPIRE', changing, EXECUTION)
    end
end
for id, scopes in pairs(call.ended or {}) do
    for _, scope in ipairs(scopes) do
        renew(':epoch:' .. scope)
        redis.call('ZREM', base .. ':changing:' .. scope, id)
    end
end

local function replicas()
    local known, list = {}, redis.call('HGETALL', base .. ':replicas')
    for i = 1, #list, 2 do
        local until_time, run = string.match(list[i + 1], '^(%d+) (.*)$')
        known[list[i]] = { until_time = tonumber(until_time), run = run }
    end
    return known
end

local function forget(replica)
    redis.call('HDEL', base .. ':replicas', replica)
    redis.call('DEL', base .. ':tracked:' .. replica)
end

if call.leaving then
    forget(call.leaving)
end

if presence then
    local tracked = base .. ':tracked:' .. presence.replica
    -- A user that may not ask this has caches that trust a server with old data for a moment.
    local server = redis.pcall('INFO', 'server')
    reply.run = type(server) == 'string' and string.match(server, 'run_id:(%w+)') or ''
    if presence.tracked then
        -- It may have made changes before, without registering them.
        renew(':members')
        redis.call('DEL', tracked)
        for _, environment in ipairs(presence.tracked) do
            redis.call('HSET', tracked, environment, 1)
        end
        for replica, until_time in pairs(presence.instance ~= instance and presence.others or {}) do
            redis.call('HSETNX', base .. ':replicas', replica, string.format('%.0f -', until_time))
        end
    end
    redis.call('PEXPIRE', tracked, EXECUTION)
    reply.replicas = {}
    for replica, known in pairs(replicas()) do
        if known.until_time + EXECUTION < time and replica ~= presence.replica then
            -- It may have made changes until now.
            renew(':members')
            forget(replica)
        else
            reply.replicas[replica] = known.until_time
        end
    end
    -- The promise last: it is made only if all before it succeeded.
    redis.call('HSET', base .. ':replicas', presence.replica, string.format('%.0f %s', presence['until'], reply.run))
    reply.replicas[presence.replica] = presence['until']
end

local function obstacle(read)
    if time < tonumber(string.match(instance, ' (%d+)$')) + SETTLING then
        return 'new'
    end
    for replica, known in pairs(replicas()) do
        if known.until_time < time or known.run ~= read.run
            or redis.call('HEXISTS', base .. ':tracked:' .. replica, read.environment) == 0
        then
            return 'replica'
        end
    end
    for _, scope in ipairs(read.scopes) do
        if redis.call('ZCOUNT', base .. ':changing:' .. scope, '(' .. string.format('%.0f', time), '+inf') > 0 then
            return 'change'
        end
    end
end

local function epoch(name)
    local known = redis.call('GET', base .. name)
    if not known then renew(name) end
    return known or call.random
end

if call.read then
    reply.obstacle = obstacle(call.read)
    if not reply.obstacle then
        reply.epochs = { epoch(':members') }
        for _, scope in ipairs(call.read.scopes) do
            table.insert(reply.epochs, epoch(':epoch:' .. scope))
        end
    end
end

return cjson.encode(reply)
