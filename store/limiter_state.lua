-- The buckets and windows of one call, read at one instant of this server's clock: what
-- charge.lua and amend.lua both begin with. The arithmetic is that of policy/bucket.c and
-- policy/window.c.
-- KEYS: one a charge. ARGV: the mode; then for each charge its kind (b: bucket, w:
-- window; and m: monitor, t: teaches, a: along), cost, tokens, period_ms and burst (a window's
-- factor, window_ms and floor), and latch_ms; then, for those whose latch the caller
-- alone has seen, in pairs, the number of the charge and for how long the latch stands.
-- A bucket is the string "level rest stamp_ms", and " latch_end_ms" if it is latched. A
-- window is "w start_ms copies trained latch_end_ms" ("W" when it was braked), and
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
local function refill(state, value)
    local level, rest, stamp = string.match(value, '^(%d+) (%d+) (%d+)$')
    if not level then
        local latch
        level, rest, stamp, latch = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
        state.latch = number(latch, STAMP_MAX)
    end
    level, rest = number(level, 1e9), number(rest, state.period - 1)
    stamp = number(stamp, STAMP_MAX)
    if not (level and rest and stamp and state.latch) then
        return false
    end
    local periods, into = divide(math.max(0, now - stamp), state.period)
    if periods * state.tokens < state.size then
        local whole, more = divide(into * state.tokens, state.period)
        level = level + periods * state.tokens + whole
        rest = rest + more
        if rest >= state.period then
            level, rest = level + 1, rest - state.period
        end
    else
        level = state.size
    end
    if level >= state.size then
        level, rest = state.size, 0
    end
    state.left, state.rest, state.dirty = level, rest, stamp > now
    return true
end

local function ms_to_full(state)
    local missing = state.size - state.left
    if missing <= 0 then
        return 0
    end
    local periods, tokens = divide(missing, state.tokens)
    local parts = tokens * state.period - state.rest
    if parts < 0 then -- the rest reaches into the last whole period
        periods = periods - 1
        parts = parts + state.tokens * state.period
    end
    local ms, over = divide(parts, state.tokens)
    return math.min(periods * state.period + ms + (over > 0 and 1 or 0), TTL_MAX)
end

-- Copies that a window of so many lets the next one have.
local function multiply(state, copies)
    return (divide(state.factor * copies, 1000))
end

-- All that went out in a window; 0: none is open.
local function total(state)
    return math.min(state.copies + state.trained, COPIES_MAX)
end

-- Closes the window if it is over; past is what was known of the ones before.
local function roll(state, past)
    local largest = 0
    state.past = {}
    if total(state) > 0 and state.start > now then
        state.start, state.dirty = now, true
    end
    if total(state) > 0 and now - state.start >= state.window then
        if not state.braked and multiply(state, total(state)) > state.floor then
            past[PAST_MAX] = nil
            table.insert(past, 1, { state.start + state.window, total(state) })
        end
        state.copies, state.trained, state.braked = 0, 0, false
    end
    for _, one in ipairs(past) do
        if one[1] > now then
            one[1], state.dirty = now, true
        end
        if now - one[1] < MEMORY then
            table.insert(state.past, one)
            largest = math.max(largest, one[2])
        end
    end
    state.size = math.max(multiply(state, largest), state.floor)
    state.left = math.max(state.size - state.copies, 0)
end

-- The window of a value as it is now; false when it is none.
local function parse(state, value)
    local kind, start, open, trained, latch, rest =
        string.match(value, '^([wW]) (%d+) (%d+) (%d+) (%d+)(.*)$')
    local past, length = {}, 0
    state.start, state.copies = number(start, STAMP_MAX), number(open, COPIES_MAX)
    state.trained, state.latch = number(trained, COPIES_MAX), number(latch, STAMP_MAX)
    state.braked = kind == 'W'
    for stamp, sent in string.gmatch(rest or '', ' (%d+):(%d+)') do
        local over, copies = number(stamp, STAMP_MAX), number(sent, COPIES_MAX)
        if not (over and copies) or #past == PAST_MAX then
            return false
        end
        table.insert(past, { over, copies })
        length = length + #stamp + #sent + 2
    end
    if not (state.start and state.copies and state.trained and state.latch) or length ~= #rest then
        return false
    end
    roll(state, past)
    return true
end

local function ms_to_keep(state)
    local keep = 0
    if total(state) > 0 then
        local matters = not state.braked and multiply(state, total(state)) > state.floor
        keep = state.start + state.window - now + (matters and MEMORY or 0)
    end
    for _, past in ipairs(state.past) do
        keep = math.max(keep, past[1] + MEMORY - now)
    end
    return keep
end

-- A latch never stands longer than its rule sets it for. A rule without one sees none,
-- and leaves alone what it finds.
local function clamp(state, carried)
    local most = now + (state.latch_ms > 0 and state.latch_ms or LATCH_MAX)
    if state.latch > most then
        state.latch, state.dirty = most, true
    end
    carried = math.min(carried or 0, state.latch_ms)
    if carried > 0 and state.latch < now + carried then
        state.latch, state.dirty = now + carried, true
    end
    state.latched = state.latch_ms > 0 and math.max(state.latch - now, 0) or 0
end

-- MGET would take a key of another type for a full bucket; GET says so. What can't be
-- read can be reset.
local function read(state)
    local value = redis.pcall('GET', state.key)
    local failure
    if type(value) == 'table' then
        failure = value.err .. ' ' .. state.key
    elseif value and not (state.factor and parse or refill)(state, value) then
        failure = 'CORRUPT bucket ' .. state.key
    end
    if failure and mode ~= 'reset' then
        return redis.error_reply(failure)
    elseif failure or not value then
        state.left, state.rest, state.latch = state.size, 0, 0
        state.start, state.copies, state.trained = 0, 0, 0
        state.past = state.factor and {}
    end
    return nil
end

-- What is worth nothing needs no key, and a TTL of 0 is an error.
local function write(state)
    local latch = state.latch > now and state.latch or 0
    local ttl = math.max((state.factor and ms_to_keep or ms_to_full)(state), latch - now)
    local value
    if ttl == 0 then
        redis.call('DEL', state.key)
        return
    elseif state.factor then
        local start = total(state) > 0 and state.start or 0
        value = string.format('%s %.0f %.0f %.0f %.0f', state.braked and 'W' or 'w', start,
            state.copies, state.trained, latch)
        for _, past in ipairs(state.past) do
            value = value .. string.format(' %.0f:%.0f', past[1], past[2])
        end
    else
        value = string.format('%.0f %.0f %.0f', state.left, state.rest, now)
        value = latch > 0 and value .. string.format(' %.0f', latch) or value
    end
    redis.call('SET', state.key, value, 'PX', ttl)
end

-- Draws the cost from a bucket; a window counts it.
local function take(state)
    if state.cost == 0 then
        return
    elseif state.factor then
        state.start = total(state) > 0 and state.start or now
        state.copies = math.min(state.copies + state.cost, COPIES_MAX)
    else
        state.left = state.left - state.cost
    end
    state.dirty = true
end

local states, carried = {}, {}
for at = 2 + #KEYS * ARGUMENTS, #ARGV, 2 do
    carried[tonumber(ARGV[at])] = tonumber(ARGV[at + 1])
end
for i, key in ipairs(KEYS) do
    local at = 2 + (i - 1) * ARGUMENTS
    local state = {
        key = key,
        kind = ARGV[at],
        cost = tonumber(ARGV[at + 1]),
        size = tonumber(ARGV[at + 4]),
        latch_ms = tonumber(ARGV[at + 5]),
        left = 0, rest = 0, latch = 0, latched = 0,
        dirty = false, -- to be written though nothing is taken: a clock was put right
    }
    if string.byte(state.kind) == 119 then -- w
        state.factor, state.window = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
        state.floor = state.size
    else
        state.tokens, state.period = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    end
    local failure = read(state)
    if failure then
        return failure
    end
    if state.latch > 0 or carried[i] then
        clamp(state, carried[i])
    end
    states[i] = state
end
