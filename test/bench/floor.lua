-- Three token buckets, all or none: the least that a shared limit asks of Redis.
-- KEYS: one a bucket. ARGV: cost, tokens, period_ms and burst of each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local values, levels = redis.call('MGET', unpack(KEYS)), {}
for i, value in ipairs(values) do
    local cost, tokens = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
    local period, burst = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
    local level, stamp = burst, now
    if value then
        level, stamp = string.match(value, '^(%S+) (%S+)$')
        level = math.min(burst, level + (now - stamp) * tokens / period)
    end
    if level < cost then
        return i
    end
    levels[i] = level - cost
end
for i, key in ipairs(KEYS) do
    local tokens, period, burst = ARGV[4 * i - 2], ARGV[4 * i - 1], ARGV[4 * i]
    local value = string.format('%.6f %.0f', levels[i], now)
    redis.call('SET', key, value, 'PX', math.ceil((burst - levels[i]) * period / tokens) + 1)
end
return 0
