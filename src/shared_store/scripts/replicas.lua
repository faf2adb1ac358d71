-- A replica's heartbeat: notes that it is alive, and counts the replicas.
--
-- call: { replica, new_instance, seen_within, forget_after }, times in milliseconds.
-- Replies { instance, replicas, missing }. Missing are those that stopped without saying so. The instance is the first
-- `new_instance` since the store was empty.
local call = cjson.decode(ARGV[1])
local time = now()
local replicas, instance = KEYS[1] .. ':replicas', KEYS[1] .. ':instance'

redis.call('ZADD', replicas, time, call.replica)
redis.call('ZREMRANGEBYSCORE', replicas, '-inf', time - call.forget_after)
redis.call('PEXPIRE', replicas, call.forget_after)
local seen = redis.call('ZCOUNT', replicas, time - call.seen_within, '+inf')
redis.call('SET', instance, call.new_instance, 'NX')
redis.call('PEXPIRE', instance, call.forget_after)
return cjson.encode({ instance = redis.call('GET', instance), replicas = seen, missing = redis.call('ZCARD', replicas) - seen })
