-- The buckets and windows of one call, read at one instant of this server's clock: what
-- charge.lua and amend.lua both begin with. The arithmetic is that of policy/bucket.c and
-- policy/window.c.
-- KEYS: one a charge. ARGV: the mode; then for each charge its kind (b: bucket, w:
-- window; and m: monitor, t: teaches, a: along), cost, tokens, period_ms and burst (a window's
-- factor, window_ms and floor), and latch_ms; then, for those whose latch the caller
-- alone has seen, in pairs, the number of the charge and for how long the latch stands.
-- A bucket is the string "level rest stamp_ms", and " latch_end_ms" if it is latched. A
-- window is "w start_ms copies taught latch_end_ms" ("W" when it was braked), and
-- " end_ms:copies" for each past one, newest first. No key: it is full, or unused.
-- Numbers are doubles: every intermediate stays below 2^53, and division is by
-- math.fmod, as % and / alone are not exact there.
local TTL_MAX, STAMP_MAX, COPIES_MAX = 1e13, 9007199254740991, 1e9
local MEMORY, LATCH_MAX, PAST_MAX = 400 * 86400000, 366 * 86400000, 8
local ARGUMENTS = 6 -- of a charge

local mode = ARGV[1]
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

-- The bucket of a value as it is now; false when it is none.
local function refill(meter, value)
    local level, rest, stamp = string.match(value, '^(%d+) (%d+) (%d+)$')
    if not level then
        local latch
        level, rest, stamp, latch = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
        meter.latch = number(latch, STAMP_MAX)
    end
    level, rest = number(level, 1e9), number(rest, meter.period - 1)
    stamp = number(stamp, STAMP_MAX)
    if not (level and rest and stamp and meter.latch) then
        return false
    end
    local periods, into = divide(math.max(0, now - stamp), meter.period)
    if periods * meter.tokens < meter.size then
        local whole, more = divide(into * meter.tokens, meter.period)
        level = level + periods * meter.tokens + whole
        rest = rest + more
        if rest >= meter.period then
            level, rest = level + 1, rest - meter.period
        end
    else
        level = meter.size
    end
    if level >= meter.size then
        level, rest = meter.size, 0
    end
    meter.left, meter.rest, meter.dirty = level, rest, stamp > now
    return true
end

local function ms_to_full(meter)
    local missing = meter.size - meter.left
    if missing <= 0 then
        return 0
    end
    local periods, tokens = divide(missing, meter.tokens)
    local parts = tokens * meter.period - meter.rest
    if parts < 0 then -- the rest reaches into the last whole period
        periods = periods - 1
        parts = parts + meter.tokens * meter.period
    end
    local ms, over = divide(parts, meter.tokens)
    return math.min(periods * meter.period + ms + (over > 0 and 1 or 0), TTL_MAX)
end

-- Copies that a window of so many lets the next one have.
local function multiply(meter, copies)
    return (divide(meter.factor * copies, 1000))
end

-- All that went out in a window; 0: none is open.
local function total(meter)
    return math.min(meter.copies + meter.taught, COPIES_MAX)
end

-- Closes the window if it is over; past is what was known of the ones before.
local function roll(meter, past)
    local largest = 0
    meter.past = {}
    if total(meter) > 0 and meter.start > now then
        meter.start, meter.dirty = now, true
    end
    if total(meter) > 0 and now - meter.start >= meter.window then
        if not meter.braked and multiply(meter, total(meter)) > meter.floor then
            past[PAST_MAX] = nil
            table.insert(past, 1, { meter.start + meter.window, total(meter) })
        end
        meter.copies, meter.taught, meter.braked = 0, 0, false
    end
    for _, one in ipairs(past) do
        if one[1] > now then
            one[1], meter.dirty = now, true
        end
        if now - one[1] < MEMORY then
            table.insert(meter.past, one)
            largest = math.max(largest, one[2])
        end
    end
    meter.size = math.max(multiply(meter, largest), meter.floor)
    meter.left = math.max(meter.size - meter.copies, 0)
end

-- The window of a value as it is now; false when it is none.
local function parse(meter, value)
    local kind, start, open, taught, latch, rest =
        string.match(value, '^([wW]) (%d+) (%d+) (%d+) (%d+)(.*)$')
    local past, length = {}, 0
    meter.start, meter.copies = number(start, STAMP_MAX), number(open, COPIES_MAX)
    meter.taught, meter.latch = number(taught, COPIES_MAX), number(latch, STAMP_MAX)
    meter.braked = kind == 'W'
    for stamp, sent in string.gmatch(rest or '', ' (%d+):(%d+)') do
        local over, copies = number(stamp, STAMP_MAX), number(sent, COPIES_MAX)
        if not (over and copies) or #past == PAST_MAX then
            return false
        end
        table.insert(past, { over, copies })
        length = length + #stamp + #sent + 2
    end
    if not (meter.start and meter.copies and meter.taught and meter.latch) or length ~= #rest then
        return false
    end
    roll(meter, past)
    return true
end

local function ms_to_keep(meter)
    local keep = 0
    if total(meter) > 0 then
        local matters = not meter.braked and multiply(meter, total(meter)) > meter.floor
        keep = meter.start + meter.window - now + (matters and MEMORY or 0)
    end
    for _, past in ipairs(meter.past) do
        keep = math.max(keep, past[1] + MEMORY - now)
    end
    return keep
end

-- A latch never stands longer than its rule sets it for. A rule without one sees none,
-- and leaves alone what it finds.
local function clamp(meter, carried)
    local most = now + (meter.latch_ms > 0 and meter.latch_ms or LATCH_MAX)
    if meter.latch > most then
        meter.latch, meter.dirty = most, true
    end
    carried = math.min(carried or 0, meter.latch_ms)
    if carried > 0 and meter.latch < now + carried then
        meter.latch, meter.dirty = now + carried, true
    end
    meter.latched = meter.latch_ms > 0 and math.max(meter.latch - now, 0) or 0
end

-- MGET would take a key of another type for a full bucket; GET says so. What can't be
-- read can be reset.
local function read(meter)
    local value = redis.pcall('GET', meter.key)
    local failure
    if type(value) == 'table' then
        failure = value.err .. ' ' .. meter.key
    elseif value and not (meter.factor and parse or refill)(meter, value) then
        failure = 'CORRUPT bucket ' .. meter.key
    end
    if failure and mode ~= 'reset' then
        return redis.error_reply(failure)
    elseif failure or not value then
        meter.left, meter.rest, meter.latch = meter.size, 0, 0
        meter.start, meter.copies, meter.taught = 0, 0, 0
        meter.past = meter.factor and {}
    end
    return nil
end

-- What is worth nothing needs no key, and a TTL of 0 is an error.
local function write(meter)
    local latch = meter.latch > now and meter.latch or 0
    local ttl = math.max((meter.factor and ms_to_keep or ms_to_full)(meter), latch - now)
    local value
    if ttl == 0 then
        redis.call('DEL', meter.key)
        return
    elseif meter.factor then
        local start = total(meter) > 0 and meter.start or 0
        value = string.format('%s %.0f %.0f %.0f %.0f', meter.braked and 'W' or 'w', start,
            meter.copies, meter.taught, latch)
        for _, past in ipairs(meter.past) do
            value = value .. string.format(' %.0f:%.0f', past[1], past[2])
        end
    else
        value = string.format('%.0f %.0f %.0f', meter.left, meter.rest, now)
        value = latch > 0 and value .. string.format(' %.0f', latch) or value
    end
    redis.call('SET', meter.key, value, 'PX', ttl)
end

-- Draws the cost from a bucket; a window counts it.
local function take(meter)
    if meter.cost == 0 then
        return
    elseif meter.factor then
        meter.start = total(meter) > 0 and meter.start or now
        meter.copies = math.min(meter.copies + meter.cost, COPIES_MAX)
    else
        meter.left = meter.left - meter.cost
    end
    meter.dirty = true
end

local meters, carried = {}, {}
for at = 2 + #KEYS * ARGUMENTS, #ARGV, 2 do
    carried[tonumber(ARGV[at])] = tonumber(ARGV[at + 1])
end
for i, key in ipairs(KEYS) do
    local at = 2 + (i - 1) * ARGUMENTS
    local meter = {
        key = key,
        kind = ARGV[at],
        cost = tonumber(ARGV[at + 1]),
        size = tonumber(ARGV[at + 4]),
        latch_ms = tonumber(ARGV[at + 5]),
        left = 0, rest = 0, latch = 0, latched = 0,
        dirty = false, -- to be written though nothing is taken: a clock was put right
    }
    if string.byte(meter.kind) == 119 then -- w
        meter.factor, meter.window = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
        meter.floor = meter.size
    else
        meter.tokens, meter.period = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    end
    local failure = read(meter)
    if failure then
        return failure
    end
    if meter.latch > 0 or carried[i] then
        clamp(meter, carried[i])
    end
    meters[i] = meter
end
