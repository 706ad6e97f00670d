-- The buckets and windows of one call, read at one instant of this server's clock: what
-- charge.lua and amend.lua both begin with. The arithmetic is that of policy/bucket.c and
-- policy/window.c.
-- KEYS: one a charge, those of the first message first. ARGV: two words a message: its mode,
-- and its charges, each a record of RECORD_BYTES: whether it is a window, is monitored,
-- trains, and stands along; cost; tokens, period_ms and burst (a window's factor, window_ms
-- and floor); latch_ms; and for how long its latch stands by what only the caller has seen.
-- A bucket is the string "level rest stamp_ms", and " latch_end_ms" if it is latched. A
-- window is "w start_ms copies trained latch_end_ms" ("W" when it was braked), and
-- " end_ms:copies" for each past one, newest first. No key: it is full, or unused.
-- Numbers are doubles: every intermediate stays below 2^53, and division is by
-- math.fmod, as % and / alone are not exact there.
local RECORD, RECORD_BYTES = '<BBBBdddddd', 52
local TTL_MAX, STAMP_MAX, COPIES_MAX = 1e13, 9007199254740991, 1e9
local MEMORY, LATCH_MAX, PAST_MAX = 400 * 86400000, 366 * 86400000, 8
local call, pcall, error_reply = redis.call, redis.pcall, redis.error_reply
local match, format, fmod, tonumber = string.match, string.format, math.fmod, tonumber

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = format('%.0f', now)

local function divide(a, b)
    local rest = fmod(a, b)
    return (a - rest) / b, rest
end

-- The bucket of a value as it is now; false when it is none.
local function refill(state, value)
    local level, rest, stamp = match(value, '^(%d+) (%d+) (%d+)$')
    local latch = '0'
    if not level then
        level, rest, stamp, latch = match(value, '^(%d+) (%d+) (%d+) (%d+)$')
        if not level then
            return false
        end
    end
    local size, period = state.size, state.period
    level, rest, stamp, latch = tonumber(level), tonumber(rest), tonumber(stamp), tonumber(latch)
    if level > 1e9 or rest >= period or stamp > STAMP_MAX or latch > STAMP_MAX then
        return false
    end
    local periods, into = 0, now - stamp
    if into < 0 then
        into, state.repaired = 0, true
    elseif into >= period then
        periods, into = divide(into, period)
    end
    level = level + periods * state.amount
    if level < size and into > 0 then
        local whole, more = divide(into * state.amount, period)
        level, rest = level + whole, rest + more
        if rest >= period then
            level, rest = level + 1, rest - period
        end
    end
    if level >= size then
        level, rest = size, 0
    end
    state.left, state.rest, state.latch = level, rest, latch
    return true
end

local function ms_to_full(state)
    local missing = state.size - state.left
    if missing <= 0 then
        return 0
    end
    local periods, tokens = divide(missing, state.amount)
    local parts = tokens * state.period - state.rest
    if parts < 0 then -- the rest reaches into the last whole period
        periods = periods - 1
        parts = parts + state.amount * state.period
    end
    local ms, over = divide(parts, state.amount)
    return math.min(periods * state.period + ms + (over > 0 and 1 or 0), TTL_MAX)
end

-- Copies that a window of so many lets the next one have.
local function multiply(state, copies)
    return (divide(state.amount * copies, 1000))
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
        state.start, state.repaired = now, true
    end
    if total(state) > 0 and now - state.start >= state.period then
        if not state.braked and multiply(state, total(state)) > state.most then
            past[PAST_MAX] = nil
            table.insert(past, 1, { state.start + state.period, total(state) })
        end
        state.copies, state.trained, state.braked = 0, 0, false
    end
    for _, one in ipairs(past) do
        if one[1] > now then
            one[1], state.repaired = now, true
        end
        if now - one[1] < MEMORY then
            table.insert(state.past, one)
            largest = math.max(largest, one[2])
        end
    end
    state.size = math.max(multiply(state, largest), state.most)
end

local function number(digits, max)
    local value = digits and tonumber(digits)
    return value and value <= max and value or nil
end

-- The window of a value as it is now; false when it is none.
local function parse(state, value)
    local kind, start, open, trained, latch, rest =
        match(value, '^([wW]) (%d+) (%d+) (%d+) (%d+)(.*)$')
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
        local matters = not state.braked and multiply(state, total(state)) > state.most
        keep = state.start + state.period - now + (matters and MEMORY or 0)
    end
    for _, past in ipairs(state.past) do
        keep = math.max(keep, past[1] + MEMORY - now)
    end
    return keep
end

-- What is worth nothing needs no key, and a TTL of 0 is an error.
local function write(state)
    local latch = state.latch > now and state.latch or 0
    local ttl = math.max((state.is_window and ms_to_keep or ms_to_full)(state), latch - now)
    local value
    if ttl == 0 then
        call('DEL', state.key)
        return
    elseif state.is_window then
        local start = total(state) > 0 and state.start or 0
        value = format('%s %.0f %.0f %.0f %.0f', state.braked and 'W' or 'w', start,
            state.copies, state.trained, latch)
        for _, past in ipairs(state.past) do
            value = value .. format(' %.0f:%.0f', past[1], past[2])
        end
    elseif latch > 0 then
        value = format('%.0f %.0f %s %.0f', state.left, state.rest, now_text, latch)
    elseif state.rest > 0 then
        value = format('%d %.0f %s', state.left, state.rest, now_text)
    else
        value = format('%d 0 %s', state.left, now_text)
    end
    call('SET', state.key, value, 'PX', ttl)
end

-- Reads a key, full or unused if there is none. MGET would take one of another type for
-- a full bucket; GET says so. What can't be read can be reset.
local function read(state, resets)
    local value = pcall('GET', state.key)
    if not value then
        return
    elseif type(value) == 'table' then
        state.failure = error_reply(value.err .. ' ' .. state.key)
    elseif not (state.is_window and parse or refill)(state, value) then
        state.failure = error_reply('CORRUPT bucket ' .. state.key)
    end
    if state.failure and resets then
        state.failure, state.left, state.rest, state.latch = nil, state.size, 0, 0
        state.start, state.copies, state.trained, state.past = 0, 0, 0, {}
    end
end

-- What this call knows by key, and in the order in which it was read.
local known, read_states = {}, {}
local keys_read = 0

-- A key that was not read yet. The same one with other numbers, as of a rule that was
-- changed, is as if it came in another call.
local function new_state(key, is_window, amount, period, most, resets)
    local before = known[key]
    if before and before.dirty then
        write(before)
        before.dirty = false
    end
    local state = {
        key = key, is_window = is_window, amount = amount, period = period, most = most,
        size = most, left = most, rest = 0, latch = 0,
        cost = 0, latch_ms = 0, carried = 0, latched = 0, -- as the message at hand has it
        monitor = false, trains = false, along = false, fires = false,
        dirty = false,    -- to be written
        repaired = false, -- to be written though nothing is taken: a clock was put right
    }
    if is_window then
        state.start, state.copies, state.trained, state.past = 0, 0, 0, {}
    end
    read(state, resets)
    known[key] = state
    read_states[#read_states + 1] = state
    return state
end

-- A latch never stands longer than its rule sets it for. A rule without one sees none,
-- and leaves alone what it finds. A look leaves everything alone.
local function clamp(state, looks)
    local latch, latch_ms = state.latch, state.latch_ms
    local most = now + (latch_ms > 0 and latch_ms or LATCH_MAX)
    local carried = math.min(state.carried, latch_ms)
    if latch > most then
        latch = most
    end
    if carried > 0 and latch < now + carried then
        latch = now + carried
    end
    state.latched = latch_ms > 0 and math.max(latch - now, 0) or 0
    if latch ~= state.latch and not looks then
        state.latch, state.dirty = latch, true
    end
end

-- The charges of the next message, whose records are given; and the failure of one.
local function next_message(mode, records)
    local states, count, failure = {}, #records / RECORD_BYTES, nil
    for i = 1, count do
        local is_window, monitor, trains, along, cost, amount, period, most, latch_ms, carried =
            struct.unpack(RECORD, records, (i - 1) * RECORD_BYTES + 1)
        local key = KEYS[keys_read + i]
        local state = known[key]
        is_window = is_window == 1
        if not state or state.amount ~= amount or state.period ~= period or
            state.most ~= most or state.is_window ~= is_window then
            state = new_state(key, is_window, amount, period, most, mode == 'reset')
        end
        state.cost, state.latch_ms, state.carried = cost, latch_ms, carried
        state.monitor, state.trains, state.along = monitor == 1, trains == 1, along == 1
        failure = failure or state.failure
        states[i] = state
    end
    for i = 1, failure and 0 or count do
        local state = states[i]
        state.latched = 0
        if state.latch > 0 or state.carried > 0 then
            clamp(state, mode == 'peek')
        end
    end
    keys_read = keys_read + count
    return states, failure
end
