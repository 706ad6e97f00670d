-- What is done by hand (store/store.h). meter.lua stands above. Modes: reset, unlatch,
-- teach; and show, whose reply is start_ms and copies of the one window, then end_ms and
-- copies of each past one.
if mode == 'show' then
    local shown = { meters[1].start, meters[1].copies }
    for _, past in ipairs(meters[1].past) do
        table.insert(shown, past[1])
        table.insert(shown, past[2])
    end
    return shown
end

for _, meter in ipairs(meters) do
    if mode == 'reset' then
        meter.left, meter.rest, meter.copies, meter.latch = meter.size, 0, 0, 0
        meter.braked = false
        write(meter)
    elseif mode == 'unlatch' then
        meter.latch = 0
        write(meter)
    elseif meter.factor then
        take(meter)
        meter.braked = false
        write(meter)
    end
end
return #meters
