-- The buckets, windows and sets of clients of one call, read at one instant of this server's
-- clock: what charge.lua, amend.lua and restore.lua begin with; limiter_window.lua stands above.
-- The arithmetic is that of policy/bucket.c.
-- KEYS: one a charge, those of the first message first. ARGV: two words a message: its mode,
-- and its charges, each a record: flags; cost (of a set of clients, the number of the one
-- that asks, 0 for nobody); tokens, period_ms and burst (a window's factor, window_ms and
-- floor); latch_ms; and for how long its latch stands by what only the caller has seen.
-- A bucket is the string "level rest stamp_ms", and " latch_end_ms" if it is latched.
-- No key: it is full, or unused. A permit is a bucket of 0 tokens: it never refills.
-- Numbers are doubles: every intermediate stays below 2^53, and division is by
-- math.fmod, as % and / alone are not exact there.
local RECORD, RECORD_BYTES = '<Bdddddd', 49
-- Flags. OTHER is no bucket: with CLIENTS a set of clients, else a window.
local OTHER, MONITOR, TRAINS, ALONG, CLIENTS, PERMIT = 1, 2, 4, 8, 16, 32
local COPIES_MAX, MEMORY, NONE = 1e9, 400 * 86400000, {}
local call, fmod, min, max = redis.call, math.fmod, math.min, math.max
local match, format = string.match, string.format

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = format('%.0f', now)
local window, clients -- the functions for these, once one is met

local function has(state, flag)
    return bit.band(state.flags, flag) > 0
end

-- Takes the value of a key as the bucket is now; false when it is no bucket's.
local function refill(state, value)
    local level, rest, stamp = match(value, '^(%d+) (%d+) (%d+)$')
    local latch = 0
    if not level then
        level, rest, stamp, latch = match(value, '^(%d+) (%d+) (%d+) (%d+)$')
        if not level then
            return false
        end
    end
    local amount, size, period = state.amount, state.size, state.period
    level, rest, stamp, latch = level + 0, rest + 0, stamp + 0, latch + 0
    if level > 1e9 or rest >= period or stamp >= 2 ^ 53 or latch >= 2 ^ 53 then
        return false
    end
    local into = now - stamp
    if into < 0 then
        into, state.repaired = 0, true
    elseif into >= period then
        local part = fmod(into, period)
        level, into = level + (into - part) / period * amount, part
    end
    if level < size and into > 0 then
        local parts = into * amount
        local part = fmod(parts, period)
        level, rest = level + (parts - part) / period, rest + part
        if rest >= period then
            level, rest = level + 1, rest - period
        end
    end
    if level >= size then
        level, rest = size, 0
    end
    state.left, state.rest, state.stamp, state.latch = level, rest, stamp, latch
    return true
end

local function ms_to_full(state)
    local amount, period, tokens = state.amount, state.period, state.size - state.left
    local periods = 0
    if tokens <= 0 then
        return 0
    elseif amount == 0 then
        return state.period
    elseif tokens >= amount then
        local missing = tokens
        tokens = fmod(missing, amount)
        periods = (missing - tokens) / amount
    end
    local parts = tokens * period - state.rest
    if parts < 0 then -- the rest reaches into the last whole period
        periods, parts = periods - 1, parts + amount * period
    end
    local over = fmod(parts, amount)
    local ms = periods * period + (parts - over) / amount + (over > 0 and 1 or 0)
    return ms < 1e13 and ms or 1e13
end

-- Counts the cost, as copies or as trained ones, in the open window or a new one.
local function count_in_window(state, what)
    if state.copies + state.trained == 0 then
        state.start = now
    end
    state[what], state.text = min(state[what] + state.cost, COPIES_MAX), nil
end

-- For how long a window is kept, and its value. Past its end it matters if it lets the next
-- one have more than every window may.
local function show_window(state, latch)
    local total, past, ttl = min(state.copies + state.trained, COPIES_MAX), state.past, 0
    if total > 0 then
        local matters = not state.braked and state.amount * total >= (state.most + 1) * 1000
        ttl = state.start + state.period - now + (matters and MEMORY or 0)
    end
    local value = format('%s %.0f %.0f %.0f %.0f', state.braked and 'W' or 'w',
        total > 0 and state.start or 0, state.copies, state.trained, latch)
    for i = 1, #past do
        ttl = max(ttl, past[i][1] + MEMORY - now)
        value = value .. format(' %.0f:%.0f', past[i][1], past[i][2])
    end
    return ttl, value
end

-- What is worth nothing needs no key. Where DEL is refused, as by an ACL that has just
-- changed, the key ends at once (a TTL of 0 is an error): Redis takes nothing back, so once
-- one SET is done, nothing may fail.
local function write(key, state)
    local latch = state.latch > now and state.latch or 0
    local ttl, value
    if state.is_bucket then
        ttl = ms_to_full(state)
    else
        ttl, value = (state.is_window and show_window or clients.show)(state, latch)
    end
    if latch > 0 then
        ttl = max(ttl, latch - now)
    end
    if ttl == 0 and type(redis.pcall('DEL', key)) == 'number' then
        return
    elseif value then -- of what is no bucket
    elseif latch > 0 then
        value = format('%.0f %.0f %s %.0f', state.left, state.rest, now_text, latch)
    elseif state.rest > 0 then
        value = format('%.0f %.0f %s', state.left, state.rest, now_text)
    else
        value = format('%.0f 0 %s', state.left, now_text)
    end
    call('SET', key, value, 'PX', max(ttl, 1))
end

local known = {} -- what this call has read, by key

-- What has no key: it is full or unused. And the function that takes a value for it; of a
-- window that is window.parse, once there is a value.
local function new_state(flags, amount, period, most)
    local state = {
        is_bucket = flags % 2 ~= OTHER, amount = amount, period = period, most = most,
        size = most, left = most, rest = 0, latch = 0,
        -- of the message at hand:
        flags = flags, cost = 0, latch_ms = 0, carried = 0, latched = 0,
        dirty = false, -- to be written
        -- repaired: to be written though nothing is taken: a clock was put right
        -- failure: an error
        -- stamp: of a bucket, when it was written
        -- text: of a window, its value as it was read, if that is still right
        -- is_window, is_clients: that it is a window, a set of clients
    }
    local parse = refill
    if not state.is_bucket and has(state, CLIENTS) then
        clients = clients or make_functions(now, 'clients')
        state.is_clients, state.entries, parse = true, {}, clients.parse
    elseif not state.is_bucket then
        state.is_window, state.start, state.copies, state.trained = true, 0, 0, 0
        state.past, state.text = NONE, ''
    end
    return state, parse
end

-- Reads a key that was not read yet. The same one with other numbers, as of a rule that was
-- changed, is as if it came in another call. MGET would take a key of another type for none;
-- GET says so. What can't be read can be reset.
local function read(key, flags, amount, period, most, resets)
    local before = known[key]
    if before and before.dirty then
        write(key, before)
    end
    local state, parse = new_state(flags, amount, period, most)
    known[key] = state
    local value, failure = redis.pcall('GET', key), nil
    if not value then
        return state
    elseif state.is_window then
        window = window or make_functions(now, 'window')
        parse = window.parse
    end
    if type(value) == 'table' then
        failure = value.err .. ' ' .. key
    elseif not parse(state, value) then
        failure = 'CORRUPT bucket ' .. key
    end
    if failure then
        state.failure = not resets and redis.error_reply(failure)
        state.left, state.rest, state.latch = state.size, 0, 0
    end
    return state
end

-- A latch never stands longer than its rule sets it for. A rule without one sees none,
-- and leaves alone what it finds. A look leaves everything alone.
local function clamp(state, looks)
    local latch, latch_ms = state.latch, state.latch_ms
    local most = now + (latch_ms > 0 and latch_ms or 366 * 86400000)
    local carried = math.min(state.carried, latch_ms)
    if latch > most then
        latch = most
    end
    if carried > 0 and latch < now + carried then
        latch = now + carried
    end
    state.latched = latch_ms > 0 and max(latch - now, 0) or 0
    if latch ~= state.latch and not looks then
        state.latch, state.dirty = latch, true
    end
end

local states = {} -- of the message at hand, in order
local keys, keys_read, unpack_record = KEYS, 0, struct.unpack

-- Takes the charges of the next message from its records: how many they are, and the failure
-- of one.
local function next_message(mode, records)
    local count, at, failure, latched = #records / RECORD_BYTES, 1, nil, false
    for i = 1, count do
        local flags, cost, amount, period, most, latch_ms, carried
        flags, cost, amount, period, most, latch_ms, carried, at =
            unpack_record(RECORD, records, at)
        local key = keys[keys_read + i]
        local state = known[key]
        local is_bucket = flags % 2 ~= OTHER
        if not state or state.amount ~= amount or state.period ~= period or
            state.most ~= most or state.is_bucket ~= is_bucket then
            state = read(key, flags, amount, period, most, mode == 'reset')
        end
        state.flags, state.cost, state.latch_ms, state.carried = flags, cost, latch_ms, carried
        state.latched = 0
        latched = latched or carried > 0 or state.latch > 0
        failure = failure or state.failure
        states[i] = state
    end
    for i = 1, latched and not failure and count or 0 do
        clamp(states[i], mode == 'peek')
    end
    keys_read = keys_read + count
    return count, failure
end
