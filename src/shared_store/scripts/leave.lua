-- A replica stops in good order.
--
-- call: { replica }.
local call = cjson.decode(ARGV[1])
redis.call('ZREM', KEYS[1] .. ':replicas', call.replica)
return '{}'
