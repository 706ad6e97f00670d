-- What is done by hand (store/store.h). meter.lua stands above. Modes: reset, unlatch,
-- teach; and show, whose reply is start_ms, copies and taught of the one window, then
-- end_ms and copies of each past one.
if mode == 'show' then
    local shown = { meters[1].start, meters[1].copies, meters[1].taught }
    for _, past in ipairs(meters[1].past) do
        table.insert(shown, past[1])
        table.insert(shown, past[2])
    end
    return shown
end

for _, meter in ipairs(meters) do
    if mode == 'reset' then
        meter.left, meter.rest, meter.copies, meter.latch = meter.size, 0, 0, 0
        meter.taught, meter.braked = 0, false
        write(meter)
    elseif mode == 'unlatch' then
        meter.latch = 0
        write(meter)
    elseif meter.factor then
        meter.start = total(meter) > 0 and meter.start or now
        meter.taught = math.min(meter.taught + meter.cost, COPIES_MAX)
        meter.braked = false
        write(meter)
    end
end
return #meters
