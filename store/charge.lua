-- Charges all buckets of a message, or none (policy/store.h), on this server's clock.
-- KEYS: the buckets. ARGV: commit, then for each bucket cost, tokens, period_ms, burst,
-- monitor; flags are 0 or 1. A bucket is the string "level rest stamp_ms", with the
-- arithmetic of policy/bucket.c; no key means full. Reply: what each bucket had left.
-- Numbers are doubles: every intermediate stays below 2^53, and division is by
-- math.fmod, as % and / alone are not exact there.
local TTL_MAX = 1e13

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function divide(a, b)
    local rest = math.fmod(a, b)
    return (a - rest) / b, rest
end

local function number(digits, max)
    local value = digits and #digits <= 16 and tonumber(digits)
    return value and value <= max and value or nil
end

-- MGET would take a key of another type for a full bucket; GET says so.
local function read(bucket)
    local value = redis.pcall('GET', bucket.key)
    if not value then
        bucket.level, bucket.rest, bucket.stamp = bucket.burst, 0, now
        return nil
    elseif type(value) == 'table' then
        return redis.error_reply(value.err .. ' ' .. bucket.key)
    end
    local level, rest, stamp = string.match(value, '^(%d+) (%d+) (%d+)$')
    bucket.level = number(level, 1e9)
    bucket.rest = number(rest, bucket.period - 1)
    bucket.stamp = number(stamp, 9007199254740991)
    if not (bucket.level and bucket.rest and bucket.stamp) then
        return redis.error_reply('CORRUPT bucket ' .. bucket.key)
    end
    return nil
end

local function refill(bucket)
    local elapsed = math.max(0, now - bucket.stamp)
    local periods, into = divide(elapsed, bucket.period)
    if periods * bucket.tokens < bucket.burst then
        local whole, rest = divide(into * bucket.tokens, bucket.period)
        bucket.level = bucket.level + periods * bucket.tokens + whole
        bucket.rest = bucket.rest + rest
        if bucket.rest >= bucket.period then
            bucket.level = bucket.level + 1
            bucket.rest = bucket.rest - bucket.period
        end
    else
        bucket.level = bucket.burst
    end
    if bucket.level >= bucket.burst then
        bucket.level, bucket.rest = bucket.burst, 0
    end
end

local function ms_to_full(bucket)
    local missing = bucket.burst - bucket.level
    if missing <= 0 then
        return 0
    end
    local periods, tokens = divide(missing, bucket.tokens)
    local parts = tokens * bucket.period - bucket.rest
    if parts < 0 then -- the rest reaches into the last whole period
        periods = periods - 1
        parts = parts + bucket.tokens * bucket.period
    end
    local ms, over = divide(parts, bucket.tokens)
    return math.min(periods * bucket.period + ms + (over > 0 and 1 or 0), TTL_MAX)
end

-- A full bucket needs no key, and a TTL of 0 is an error.
local function write(bucket)
    local ttl = ms_to_full(bucket)
    if ttl == 0 then
        redis.call('DEL', bucket.key)
        return
    end
    local value = string.format('%.0f %.0f %.0f', bucket.level, bucket.rest, now)
    redis.call('SET', bucket.key, value, 'PX', string.format('%.0f', ttl))
end

local buckets, left = {}, {}
local commit = ARGV[1] == '1'
for i, key in ipairs(KEYS) do
    local at = 2 + (i - 1) * 5
    local bucket = {
        key = key,
        cost = tonumber(ARGV[at]),
        tokens = tonumber(ARGV[at + 1]),
        period = tonumber(ARGV[at + 2]),
        burst = tonumber(ARGV[at + 3]),
        monitor = ARGV[at + 4] == '1',
    }
    local failure = read(bucket)
    if failure then
        return failure
    end
    refill(bucket)
    buckets[i], left[i] = bucket, bucket.level
end

local passes = true
for _, bucket in ipairs(buckets) do
    bucket.fits = bucket.cost <= bucket.level
    passes = passes and (bucket.fits or bucket.monitor)
end
if commit then
    for _, bucket in ipairs(buckets) do
        local take = passes and bucket.fits and bucket.cost > 0
        if take then
            bucket.level = bucket.level - bucket.cost
        end
        -- After a step back of the clock a bucket that nothing is taken from is written
        -- too, or it would not refill before the old stamp comes round again.
        if take or bucket.stamp > now then
            write(bucket)
        end
    end
end
return left
