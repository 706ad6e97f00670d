-- What is done by hand (store/store.h) to the charges of one message. limiter_state.lua
-- stands above. Modes: reset, unlatch, train; and show, whose reply is start_ms, copies and
-- trained of the one window, then end_ms and copies of each past one.
local mode = ARGV[1]
local count, failure = next_message(mode, ARGV[2])
if failure then
    return failure
elseif mode == 'show' then
    local state = states[1]
    local shown = { state.start, state.copies, state.trained }
    for _, past in ipairs(state.past) do
        table.insert(shown, past[1])
        table.insert(shown, past[2])
    end
    return shown
end

for i, state in ipairs(states) do
    if mode == 'reset' then
        state.left, state.rest, state.copies, state.latch = state.size, 0, 0, 0
        state.trained, state.braked, state.entries = 0, false, {}
    elseif mode == 'unlatch' then
        state.latch = 0
    elseif state.is_window then
        count_in_window(state, 'trained')
        state.braked = false
    end
    if mode ~= 'train' or state.is_window then
        write(KEYS[i], state)
    end
end
return count
