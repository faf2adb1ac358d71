-- Tries each command that scripts use, on keys of its own. Replies with those that fail: the command, then why.
local base, channel, message = KEYS[1], ARGV[1], ARGV[2]
local text, hash, list, scores = base .. ':text', base .. ':hash', base .. ':list', base .. ':scores'

local commands = {
    { 'TIME' },
    { 'INFO', 'server' },
    { 'SET', text, '1', 'PX', 10000 },
    { 'INCR', text },
    { 'GET', text },
    { 'HSET', hash, 'a', '1', 'b', '2' },
    { 'HSETNX', hash, 'c', '3' },
    { 'HEXISTS', hash, 'a' },
    { 'HGET', hash, 'a' },
    { 'HMGET', hash, 'a', 'b' },
    { 'HGETALL', hash },
    { 'HDEL', hash, 'a' },
    { 'RPUSH', list, 'a', 'b', 'c' },
    { 'LINDEX', list, 0 },
    { 'LRANGE', list, 0, -1 },
    { 'LSET', list, 0, 'd' },
    { 'LPOP', list },
    { 'ZADD', scores, 1, 'a', 2, 'b' },
    { 'ZSCORE', scores, 'a' },
    { 'ZCARD', scores },
    { 'ZCOUNT', scores, '-inf', '+inf' },
    { 'ZRANGE', scores, 0, -1 },
    { 'ZRANGEBYSCORE', scores, '-inf', '+inf' },
    { 'ZREMRANGEBYSCORE', scores, '-inf', 1 },
    { 'ZREM', scores, 'b' },
    { 'PEXPIRE', text, 10000 },
    { 'PUBLISH', channel, message },
    { 'DEL', text, hash, list, scores },
}

local failures = {}
for _, command in ipairs(commands) do
    local reply = redis.pcall(unpack(command))
    if type(reply) == 'table' and reply.err then
        failures[#failures + 1] = command[1]
        failures[#failures + 1] = reply.err
    end
end
return failures
