-- Charges messages in order, each to all its buckets, windows and sets of clients, or to none,
-- and each sees what the one before took: policy/charge.h has the rules. limiter_state.lua
-- stands above.
-- Permits come first: the first that has room is charged, and windows learn; nothing else.
-- Modes: peek, latch, take; and probe, which takes and then deletes, so that each command
-- is seen to work. Reply: the time, and of each charge, before any change, what is left, and
-- for how long its latch stands. Of a bucket, what is left counts in period_ms-ths of a token,
-- if a full one does so within 2^53. Of a window also what it may hold at most, and its value,
-- '' if it is unused. Of a message with a key that can't be read, which is not charged, one
-- error instead.
local found, length = { now }, 1

-- Adds what is found of the message at hand; the first charge that decides, if one does.
local function look(count)
    local last = nil
    for i = 1, count do
        local state = states[i]
        if state.is_window then
            state.left = max(state.size - state.copies, 0)
        elseif state.is_clients then
            clients.look(state)
        end
        local left, latched = state.left, state.latched
        if (latched > 0 or state.cost > left) and not last and not has(state, MONITOR) then
            last = i
        end
        found[length + 1], found[length + 2] = left, latched
        length = length + 2
        if state.is_bucket then
            if (state.most + 1) * state.period <= 2 ^ 53 then
                found[length - 1] = left * state.period + state.rest
            end
        elseif state.is_window then
            local text, _ = state.text, nil
            if not text then
                _, text = show_window(state, 0)
            end
            found[length + 1], found[length + 2] = state.size, text
            length = length + 2
        end
    end
    return last
end

-- Draws the cost from a bucket; a window counts it, a set the client.
local function take(state)
    if state.is_window then
        count_in_window(state, 'copies')
    elseif state.is_clients then
        clients.add(state)
    else
        state.left = state.left - state.cost
    end
    state.dirty = true
end

-- Charges the message at hand, or sets what the one that decides leaves behind.
local function settle(mode, count, last)
    local accepted = mode ~= 'latch' and not last
    local last_trained = last or count -- and the other charges of the same rule
    while last_trained < count and has(states[last_trained + 1], ALONG) do
        last_trained = last_trained + 1
    end
    for i = 1, count do
        local state = states[i]
        local is_window, cost = state.is_window, state.cost
        local fits = cost <= state.left
        local counts = is_window and i <= last_trained and has(state, TRAINS)
        if cost > 0 and (accepted and (is_window or fits) or not accepted and counts) then
            take(state)
        end
        if (state.latched > 0 or not fits) and state.latch_ms > 0 and
            (not last or i <= last) and (is_window or cost <= state.size) then
            state.latch, state.dirty = now + state.latch_ms, true
        end
        -- A window in which the brake closed is not a usual one.
        if i == last and is_window and not has(state, TRAINS) and
            state.copies + state.trained > 0 then
            state.braked, state.dirty, state.text = true, true, nil
        end
        if state.repaired then
            state.dirty = true
        end
    end
end

for at = 1, #ARGV, 2 do
    local mode = ARGV[at]
    local count, failure = next_message(mode, ARGV[at + 1])
    if failure then
        length = length + 1
        found[length] = failure
    else
        local last, permit = look(count), 1
        while permit <= count and states[permit].flags >= PERMIT and
            states[permit].cost > states[permit].left do
            permit = permit + 1
        end
        if mode ~= 'peek' and permit <= count and states[permit].flags >= PERMIT then
            take(states[permit])
            for i = 1, count do
                local state = states[i]
                if state.is_window and state.cost > 0 then
                    count_in_window(state, 'trained')
                    state.dirty = true
                end
                state.dirty = state.dirty or state.repaired
            end
        elseif mode ~= 'peek' then
            settle(mode, count, last)
        end
    end
end

for key, state in pairs(known) do
    if state.dirty then
        write(key, state)
    end
end
if ARGV[1] == 'probe' then
    call('DEL', KEYS[1])
end
return found
