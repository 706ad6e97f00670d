-- Charges messages in order, each to all its buckets and windows, or to none, and each sees
-- what the one before took: policy/charge.h has the rules. limiter_state.lua stands above.
-- Modes: peek, latch, take; and probe, which takes and then deletes, so that each command
-- is seen to work. Reply: of each charge what is left, what it holds at most, and for how
-- long its latch stands, before any change; of a message with a key that can't be read,
-- which is not charged, one error instead.
local found, length = {}, 0

-- Draws the cost from a bucket; a window counts it.
local function take(state)
    if state.cost == 0 then
        return
    elseif state.is_window then
        state.start = total(state) > 0 and state.start or now
        state.copies = math.min(state.copies + state.cost, COPIES_MAX)
    else
        state.left = state.left - state.cost
    end
    state.dirty = true
end

for at = 1, #ARGV, 2 do
    local mode = ARGV[at]
    local states, failure = next_message(mode, ARGV[at + 1])
    local last = nil -- the charge that decides
    if failure then
        length = length + 1
        found[length] = failure
        states, mode = {}, 'peek'
    end
    for i, state in ipairs(states) do
        if state.is_window then
            state.left = math.max(state.size - state.copies, 0)
        end
        state.fires = state.latched > 0 or state.cost > state.left
        if state.fires and not last and not state.monitor then
            last = i
        end
        found[length + 1], found[length + 2] = state.left, state.size
        found[length + 3] = state.latched
        length = length + 3
    end

    -- The other charges of the rule that decides come along.
    local last_trained = last or #states
    while states[last_trained + 1] and states[last_trained + 1].along do
        last_trained = last_trained + 1
    end

    local accepted = mode ~= 'latch' and not last
    for i = 1, mode ~= 'peek' and #states or 0 do
        local state = states[i]
        local is_window, cost = state.is_window, state.cost
        if accepted then
            if is_window or cost <= state.left then
                take(state)
            end
        elseif i <= last_trained and is_window and state.trains then
            take(state)
        end
        if state.fires and state.latch_ms > 0 and (not last or i <= last) and
            (is_window or cost <= state.size) then
            state.latch, state.dirty = now + state.latch_ms, true
        end
        -- A window in which the brake closed is not a usual one.
        if i == last and is_window and total(state) > 0 and not state.trains then
            state.braked, state.dirty = true, true
        end
        state.dirty = state.dirty or state.repaired
        if mode == 'probe' then
            write(state)
            call('DEL', state.key)
            state.dirty = false
        end
    end
end

for _, state in ipairs(read_states) do
    if state.dirty then
        write(state)
    end
end
return found
