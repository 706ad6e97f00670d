-- Charges a message to all its buckets and windows, or to none: policy/charge.h has the
-- rules. meter.lua stands above. Modes: peek, latch, take; and probe, which takes
-- and then deletes, so that each command is seen to work. Reply: for each charge what is
-- left, what it holds at most, and for how long its latch stands, before any change.
local found = {}
local last = nil -- the charge that decides
for i, meter in ipairs(meters) do
    meter.fires = meter.latched > 0 or meter.cost > meter.left
    if meter.fires and not last and not string.find(meter.kind, 'm') then
        last = i
    end
    found[3 * i - 2], found[3 * i - 1] = meter.left, meter.size
    found[3 * i] = meter.latched
end
if mode == 'peek' then
    return found
end

-- The other charges of the rule that decides come along.
local last_taught = last or #meters
while meters[last_taught + 1] and string.find(meters[last_taught + 1].kind, 'a') do
    last_taught = last_taught + 1
end

local accepted = mode ~= 'latch' and not last
for i, meter in ipairs(meters) do
    local reached = not last or i <= last
    local latches = reached and meter.fires and meter.latch_ms > 0
    if accepted then
        if meter.factor or meter.cost <= meter.left then
            take(meter)
        end
    elseif i <= last_taught and meter.factor and string.find(meter.kind, 't') then
        take(meter)
    end
    if latches and (meter.factor or meter.cost <= meter.size) then
        meter.latch, meter.dirty = now + meter.latch_ms, true
    end
    -- A window in which the brake closed is not a usual one.
    if i == last and meter.factor and total(meter) > 0 and not string.find(meter.kind, 't') then
        meter.braked, meter.dirty = true, true
    end
    if meter.dirty then
        write(meter)
    end
    if mode == 'probe' then
        redis.call('DEL', meter.key)
    end
end
return found
