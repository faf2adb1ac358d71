-- A replica's heartbeat: notes that it is alive, and counts the replicas.
--
-- call: { replica, seen_within, forget_after } in milliseconds.
-- Replies { replicas, missing }. Missing are those that stopped without saying so.
local call = cjson.decode(ARGV[1])
local time = now()
local replicas = KEYS[1] .. ':replicas'

redis.call('ZADD', replicas, time, call.replica)
redis.call('ZREMRANGEBYSCORE', replicas, '-inf', time - call.forget_after)
redis.call('PEXPIRE', replicas, call.forget_after)
local seen = redis.call('ZCOUNT', replicas, time - call.seen_within, '+inf')
return cjson.encode({ replicas = seen, missing = redis.call('ZCARD', replicas) - seen })
