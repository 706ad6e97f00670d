-- Charges a message to all its buckets and windows, or to none: policy/charge.h has the
-- rules. limiter_state.lua stands above. Modes: peek, latch, take; and probe, which takes
-- and then deletes, so that each command is seen to work. Reply: for each charge what is
-- left, what it holds at most, and for how long its latch stands, before any change.
local found = {}
local last = nil -- the charge that decides
for i, state in ipairs(states) do
    state.fires = state.latched > 0 or state.cost > state.left
    if state.fires and not last and not string.find(state.kind, 'm') then
        last = i
    end
    found[3 * i - 2], found[3 * i - 1] = state.left, state.size
    found[3 * i] = state.latched
end
if mode == 'peek' then
    return found
end

-- The other charges of the rule that decides come along.
local last_trained = last or #states
while states[last_trained + 1] and string.find(states[last_trained + 1].kind, 'a') do
    last_trained = last_trained + 1
end

local accepted = mode ~= 'latch' and not last
for i, state in ipairs(states) do
    local reached = not last or i <= last
    local latches = reached and state.fires and state.latch_ms > 0
    if accepted then
        if state.factor or state.cost <= state.left then
            take(state)
        end
    elseif i <= last_trained and state.factor and string.find(state.kind, 't') then
        take(state)
    end
    if latches and (state.factor or state.cost <= state.size) then
        state.latch, state.dirty = now + state.latch_ms, true
    end
    -- A window in which the brake closed is not a usual one.
    if i == last and state.factor and total(state) > 0 and not string.find(state.kind, 't') then
        state.braked, state.dirty = true, true
    end
    if state.dirty then
        write(state)
    end
    if mode == 'probe' then
        redis.call('DEL', state.key)
    end
end
return found
