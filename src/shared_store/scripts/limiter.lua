-- A limiter that replicas share: what a replica tells about its permits, and the permit it gets.
--
-- call, times in milliseconds:
--   replica        which replica calls
--   instance       what the replica knows the data of this limiter by; other data change nothing, unless
--   new_instance   is given: then the data belong to it if they have no instance yet, and the replica tells everything
--   limits         { concurrency, count, per }
--   applications   { application, … }   those that use the limiter
--   released       { { lease, application, is_sent }, … }   permits it no longer has; not sent: they do not count
--   held           { { lease, application }, … }            permits it has, to renew or to register
--   report         { number, slices = { { application, age, count }, … } }   requests without a lease here, that ended
--   pause          how long Business Central asked to wait
--   heads          { application, … }   the queues in which requests wait; without it, none
--   further        { application, … }   those in which more than one waits
--   lease          the number of the permit to grant
-- Replies, times from now on:
--   instance       that of the data
--   is_unknown     true: the replica knows other data, and nothing has changed
--   granted        the application whose queue gets the permit
--   waits          { application = time before which it gets none }
--   paused         what is left of the pause
--   in_flight      permits of all replicas
--   used           { application = requests that count against its rate }
--
-- Keys: `held`: leases by expiry. `heads`: replica/application by arrival, `heads:until` their expiry, `arrivals` how many
-- there were. `rate:X` and `slices:X`: the window of application X. `reports`: each replica's latest. `paused`,
-- `instance`.
local call = cjson.decode(ARGV[1])
local base, time, limits = KEYS[1], now(), call.limits
local LEASE, HEAD = 30000, 1500
-- As in window.rs, whose algorithm this is.
local SLACK, CATCH_UP, SLICES = 500, 1000, 512

local held, heads, heads_until = base .. ':held', base .. ':heads', base .. ':heads:until'

-- The window of an application's rate ------------------------------------------------------------------------------

local windows = {}

local function window_of(application)
    local window = windows[application]
    if window then return window end
    local name = base .. ':rate:' .. application
    local fields = redis.call('HMGET', name, 'released', 'held', 'due', 'interval')
    window = {
        name = name,
        slices = base .. ':slices:' .. application,
        released = tonumber(fields[1]) or 0,
        held = tonumber(fields[2]) or 0,
        due = tonumber(fields[3]) or 0,
        interval = tonumber(fields[4]),
    }
    windows[application] = window
    return window
end

local function parse_slice(text)
    if not text then return nil end
    local first, last, count = text:match('^(.+);(.+);(.+)$')
    return { first = tonumber(first), last = tonumber(last), count = tonumber(count) }
end

local function slice_text(slice)
    return string.format('%.3f;%.3f;%d', slice.first, slice.last, slice.count)
end

local function slices_of(window)
    local slices = {}
    for i, text in ipairs(redis.call('LRANGE', window.slices, 0, -1)) do slices[i] = parse_slice(text) end
    return slices
end

local function expires(slice) return slice.last + limits.per + SLACK end

-- Requests that count.
local function used(window)
    while true do
        local oldest = parse_slice(redis.call('LINDEX', window.slices, 0))
        if not oldest or expires(oldest) > time then break end
        redis.call('LPOP', window.slices)
        window.released = window.released - oldest.count
        window.interval = nil
    end
    return window.released + window.held
end

local function is_half_used(window) return used(window) >= math.ceil(limits.count / 2) end

-- The time between two permits, once half of them are used.
local function interval_of(window)
    if not window.interval then
        local free = math.max(limits.count - window.released - window.held, 1)
        window.interval = 0
        for _, slice in ipairs(slices_of(window)) do
            window.interval = math.max(window.interval, math.max(expires(slice) - time, 0) / free)
            free = free + slice.count
        end
    end
    return window.interval
end

-- When the next paced permit is due. Those that nobody could use at their time are granted a little later.
local function due_of(window) return math.max(window.due, time - CATCH_UP) end

-- When so many permits can have been granted, were they not paced.
local function free_at(window, permits)
    local missing = window.released + window.held + permits - limits.count
    if missing <= 0 then return time end
    for _, slice in ipairs(slices_of(window)) do
        missing = missing - slice.count
        if missing <= 0 then return expires(slice) end
    end
    return time + limits.per + SLACK
end

-- When the next permit but `ahead` can be granted.
local function next_permit(window, ahead)
    local half_used = is_half_used(window)
    local at = free_at(window, ahead + 1)
    if half_used then at = math.max(at, due_of(window) + ahead * interval_of(window)) end
    return at
end

local function count_granted(window)
    if is_half_used(window) then window.due = due_of(window) + interval_of(window) end
    window.held = window.held + 1
end

local function count_ended(window)
    local newest = parse_slice(redis.call('LINDEX', window.slices, -1))
    if newest and time < newest.first + limits.per / SLICES then
        newest.last, newest.count = time, newest.count + 1
        redis.call('LSET', window.slices, -1, slice_text(newest))
    else
        redis.call('RPUSH', window.slices, slice_text({ first = time, last = time, count = 1 }))
        window.interval = nil
    end
    window.released = window.released + 1
end

-- Adds requests that ended some time ago; those that ended shortly after each other become one slice.
local function add_slices(window, added)
    local slices = slices_of(window)
    for _, slice in ipairs(added) do
        slices[#slices + 1] = { first = time - slice.age, last = time - slice.age, count = slice.count }
        window.released = window.released + slice.count
    end
    table.sort(slices, function(one, other) return one.last < other.last end)
    redis.call('DEL', window.slices)
    local open
    for _, slice in ipairs(slices) do
        if open and slice.last < open.first + limits.per / SLICES then
            open.last, open.count = slice.last, open.count + slice.count
        else
            if open then redis.call('RPUSH', window.slices, slice_text(open)) end
            open = slice
        end
    end
    if open then redis.call('RPUSH', window.slices, slice_text(open)) end
    window.interval = nil
end

-- Leases ------------------------------------------------------------------------------------------------------------

local function lease_name(lease, application) return call.replica .. '/' .. lease .. '/' .. application end

local freed = 0

local function end_lease(name, application, is_sent)
    local window = window_of(application)
    if redis.call('ZREM', held, name) == 1 then
        window.held = math.max(window.held - 1, 0)
        freed = freed + 1
    end
    -- Counted even if nothing is known of it: rather too many than too few.
    if is_sent then count_ended(window) end
end

-- Nobody renewed them: their replica is gone, and Business Central may have got the requests.
local function end_expired_leases()
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', time)) do
        end_lease(name, name:match('[^/]+$'), true)
    end
end

local function hold_lease(lease, application)
    if redis.call('ZADD', held, time + LEASE, lease_name(lease, application)) == 1 then
        local window = window_of(application)
        window.held = window.held + 1
    end
end

local function take_report(report)
    local reports = base .. ':reports'
    -- It may come a second time, if the replica got no reply.
    if tonumber(redis.call('HGET', reports, call.replica) or 0) >= report.number then return end
    redis.call('HSET', reports, call.replica, report.number)
    local by_application = {}
    for _, slice in ipairs(report.slices) do
        local application = slice[1]
        by_application[application] = by_application[application] or {}
        table.insert(by_application[application], { age = slice[2], count = slice[3] })
    end
    for application, slices in pairs(by_application) do add_slices(window_of(application), slices) end
end

-- Heads -------------------------------------------------------------------------------------------------------------

local function remove_head(name)
    redis.call('ZREM', heads, name)
    redis.call('HDEL', heads_until, name)
end

local function add_head(name)
    if not redis.call('ZSCORE', heads, name) then
        redis.call('ZADD', heads, redis.call('INCR', base .. ':arrivals'), name)
    end
    redis.call('HSET', heads_until, name, time + HEAD)
end

-- The heads of all replicas in order of arrival, with those of this replica as it tells them now.
local function current_heads()
    local own = {}
    for _, application in ipairs(call.heads or {}) do
        local name = call.replica .. '/' .. application
        own[name] = true
        add_head(name)
    end
    local current = {}
    for _, name in ipairs(redis.call('ZRANGE', heads, 0, -1)) do
        local replica, application = name:match('^([^/]+)/(.+)$')
        local is_gone = replica == call.replica and not own[name]
        if is_gone or (tonumber(redis.call('HGET', heads_until, name)) or 0) <= time then
            remove_head(name)
        else
            table.insert(current, { name = name, replica = replica, application = application })
        end
    end
    return current
end

-- Grants a permit to a head of this replica if it is among the first that may have one, and wakes the replicas of those
-- that may have the others.
local function grant(current, reply)
    local free = limits.concurrency - redis.call('ZCARD', held)
    local ahead, positions, to_wake = 0, {}, {}
    for _, head in ipairs(current) do
        local position = positions[head.application] or 0
        positions[head.application] = position + 1
        local at = next_permit(window_of(head.application), position)
        local may_go = at <= time and ahead < free
        if at <= time then ahead = ahead + 1 end
        if head.replica ~= call.replica then
            if may_go then to_wake[head.replica] = true end
        elseif at > time then
            reply.waits[head.application] = at - time
        elseif may_go and not reply.granted then
            reply.granted = head.application
        end
    end
    if reply.granted then
        count_granted(window_of(reply.granted))
        redis.call('ZADD', held, time + LEASE, lease_name(call.lease, reply.granted))
        local name = call.replica .. '/' .. reply.granted
        remove_head(name)
        for _, application in ipairs(call.further or {}) do
            -- The next request in that queue arrives now, behind the heads of the other replicas.
            if application == reply.granted then
                add_head(name)
                local at = next_permit(window_of(application), positions[application] - 1)
                if at > time then reply.waits[application] = at - time end
            end
        end
    end
    if freed > 0 then
        local prefix = base:match('^(.*):{')
        for replica in pairs(to_wake) do redis.call('PUBLISH', prefix .. ':wake:' .. replica, base) end
    end
end

local function save()
    local lasts = limits.per + 600000
    local names = { held, heads, heads_until, base .. ':arrivals', base .. ':reports', base .. ':instance' }
    for _, window in pairs(windows) do
        redis.call('HSET', window.name, 'released', window.released, 'held', window.held,
            'due', string.format('%.3f', window.due),
            'interval', window.interval and string.format('%.6f', window.interval) or '')
        table.insert(names, window.name)
        table.insert(names, window.slices)
    end
    for _, name in ipairs(names) do redis.call('PEXPIRE', name, lasts) end
end

local instance = redis.call('GET', base .. ':instance')
if call.new_instance then
    if not instance then
        instance = call.new_instance
        redis.call('SET', base .. ':instance', instance)
    end
elseif instance ~= call.instance then
    return cjson.encode({ instance = instance or '', is_unknown = true })
end

end_expired_leases()
for _, release in ipairs(call.released or {}) do
    end_lease(lease_name(release[1], release[2]), release[2], release[3])
end
for _, lease in ipairs(call.held or {}) do hold_lease(lease[1], lease[2]) end
if call.report then take_report(call.report) end

local paused_until = tonumber(redis.call('GET', base .. ':paused') or 0)
if call.pause and time + call.pause > paused_until then
    paused_until = time + call.pause
    redis.call('SET', base .. ':paused', string.format('%.3f', paused_until), 'PX', math.ceil(call.pause))
end

local reply = { instance = instance, waits = {}, used = {} }
local current = current_heads()
if paused_until > time then
    reply.paused = paused_until - time
else
    grant(current, reply)
end
reply.in_flight = redis.call('ZCARD', held)
for _, application in ipairs(call.applications) do reply.used[application] = used(window_of(application)) end
save()
return cjson.encode(reply)
