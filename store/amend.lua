-- What is done by hand (store/store.h) to the charges of one message. limiter_state.lua
-- stands above. Modes: reset, unlatch, teach; and show, whose reply is start_ms, copies and
-- trained of the one window, then end_ms and copies of each past one.
local mode = ARGV[1]
local states, failure = next_message(mode, ARGV[2])
if failure then
    return failure
elseif mode == 'show' then
    local shown = { states[1].start, states[1].copies, states[1].trained }
    for _, past in ipairs(states[1].past) do
        table.insert(shown, past[1])
        table.insert(shown, past[2])
    end
    return shown
end

for _, state in ipairs(states) do
    if mode == 'reset' then
        state.left, state.rest, state.copies, state.latch = state.size, 0, 0, 0
        state.trained, state.braked = 0, false
        write(state)
    elseif mode == 'unlatch' then
        state.latch = 0
        write(state)
    elseif state.is_window then
        state.start = total(state) > 0 and state.start or now
        state.trained = math.min(state.trained + state.cost, COPIES_MAX)
        state.braked = false
        write(state)
    end
end
return #states
