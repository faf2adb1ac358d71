-- Milliseconds on the clock of the shared store: replicas' clocks may differ.
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + time[2] / 1000
end
