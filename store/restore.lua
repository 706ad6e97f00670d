-- Writes back what a relay has seen last of keys; limiter_state.lua stands above. KEYS: a few
-- hundred at most. ARGV: whether what the store lacks is lost (1 or 0); then three words a key:
-- for how many ms the value matters, or 0; flags, tokens, period_ms and burst (a window's
-- factor, window_ms and floor), latch_ms, and a debt, what was let pass while the store was
-- away; and the value as the relay saw it, in the form in which it is kept here. Reply: how
-- many keys were changed, and the time.
-- What is lost: the store keeps the stricter of two values; where it has none, the relay's as it
-- stands, since a store that was emptied is told of tens of thousands, and mail waits. Else an
-- older value than the relay's is one whose last change was lost; any other may have been
-- changed by hand. All but the debt may come twice, and from several relays.
local lost, PAST_MAX = ARGV[1] == '1', 8

-- Sets what has changed.
local function put(state, name, value)
    if state[name] ~= value then
        state[name], state.dirty = value, true
    end
end

local function merge_bucket(state, seen)
    if seen.left < state.left or seen.left == state.left and seen.rest < state.rest then
        put(state, 'left', seen.left)
        put(state, 'rest', seen.rest)
    end
end

-- A window that began anew since the loss counts on top of the one that was lost: after
-- that it has the old start, and another relay's sight of it adds nothing.
local function merge_open(state, seen)
    local unused = state.copies + state.trained == 0
    local anew = not unused and state.start > seen.start
    if seen.copies + seen.trained == 0 or not lost and (unused or anew) then
        return
    end
    for _, what in ipairs({ 'copies', 'trained' }) do
        local sum = min(state[what] + seen[what], COPIES_MAX)
        put(state, what, anew and sum or max(state[what], seen[what]))
    end
    put(state, 'braked', not unused and state.braked or seen.braked)
    put(state, 'start', (unused or anew) and seen.start or state.start)
end

local function merge_past(state, seen)
    local all, ends = {}, {}
    for _, list in ipairs({ state.past, seen.past }) do
        for _, one in ipairs(list) do
            if not ends[one[1]] then
                table.insert(all, one)
                ends[one[1]] = true
            end
        end
    end
    if #all > #state.past then
        table.sort(all, function(a, b) return a[1] > b[1] end)
        while #all > PAST_MAX do
            table.remove(all)
        end
        state.past, state.dirty = all, true
    end
end

local function merge_clients(state, seen)
    local all, at = {}, {}
    for _, list in ipairs({ state.entries, seen.entries }) do
        for _, one in ipairs(list) do
            if not at[one[1]] then
                table.insert(all, one)
                at[one[1]] = one
                state.dirty = state.dirty or list == seen.entries
            elseif at[one[1]][2] < one[2] then
                at[one[1]][2], state.dirty = one[2], true
            end
        end
    end
    table.sort(all, function(a, b) return a[2] < b[2] end)
    while #all > state.most do -- those that came since the loss
        table.remove(all)
    end
    state.entries = all
end

local function merge(state, seen, latch_ms, debt)
    local older = state.stamp and state.stamp < seen.stamp
    if state.is_window then
        merge_open(state, seen)
        merge_past(state, seen)
    elseif state.is_clients and (lost or debt > 0) then
        merge_clients(state, seen)
    elseif state.is_bucket and (lost or older) then
        merge_bucket(state, seen)
    end
    local latch = min(seen.latch, now + latch_ms)
    if (lost or older) and latch > now and latch > state.latch then
        put(state, 'latch', latch)
    end
end

-- What was let pass while the store was away.
local function charge_debt(state, debt)
    if debt > 0 and state.is_window then
        state.cost = debt
        count_in_window(state, 'copies')
    elseif debt > 0 and state.is_bucket then
        state.left = max(state.left - debt, 0)
    end
    state.dirty = state.dirty or debt > 0
end

-- True when the key is changed.
local function restore(key, words, value)
    local numbers = {}
    for number in string.gmatch(words, '%d+') do
        table.insert(numbers, tonumber(number))
    end
    local flags, amount, period, most, latch_ms, debt = unpack(numbers)
    local state = read(key, flags, amount, period, most, false)
    local seen, parse = new_state(flags, amount, period, most)
    parse = state.is_window and window.parse or parse
    if state.failure or not parse(seen, value) then
        return false
    end
    merge(state, seen, latch_ms, debt)
    charge_debt(state, debt)
    if state.dirty then
        write(key, state)
    end
    return state.dirty
end

local changed = 0
window = make_functions(now, 'window')
for i, key in ipairs(KEYS) do
    local ttl, value = ARGV[3 * i - 1], ARGV[3 * i + 1]
    if lost and ttl ~= '0' and call('SET', key, value, 'PX', ttl, 'NX') or
        restore(key, ARGV[3 * i], value) then
        changed = changed + 1
    end
end
return { changed, now }
