-- What is no bucket: how windows are read, with the arithmetic of policy/window.c, and sets
-- of clients, with that of policy/client_set.c. Each function that a script defines costs
-- every call of it, so limiter_state.lua asks for those of a kind when it needs the first.
-- A window is "w start_ms copies trained latch_end_ms" ("W" when it was braked), and
-- " end_ms:copies" for each past one, newest first. A set of clients is "c latch_end_ms",
-- and " client:stamp_ms" for each client, oldest first.
local function make_functions(now, kind)
    local STAMP_MAX, COPIES_MAX, MEMORY, PAST_MAX = 2 ^ 53 - 1, 1e9, 400 * 86400000, 8
    local min, max, match = math.min, math.max, string.match
    local window, clients = {}, {}

    local function number(digits, most)
        local value = digits and tonumber(digits)
        return value and value <= most and value or nil
    end

    if kind == 'clients' then
        -- Takes the value of a key as it is now; false when it is no set's.
        function clients.parse(state, value)
            local latch, rest = match(value, '^c (%d+)(.*)$')
            local entries, count, length = {}, 0, 0
            state.latch, state.entries = number(latch, STAMP_MAX), entries
            for digits, stamp in string.gmatch(rest or '', ' (%d+):(%d+)') do
                local client, at = number(digits, STAMP_MAX), number(stamp, STAMP_MAX)
                count, length = count + 1, length + #digits + #stamp + 2
                if not (client and at) or count > state.most then
                    return false
                elseif at > now then
                    at, state.repaired = now, true
                end
                if now - at < state.period then
                    table.insert(entries, { client, at })
                end
            end
            return state.latch and length == #rest
        end

        -- Finds how many clients the set still takes, the one that asks included; its
        -- number stands where a cost does.
        function clients.look(state)
            local client, others = state.cost, 0
            for _, one in ipairs(state.entries) do
                others = others + (one[1] ~= client and 1 or 0)
            end
            state.client, state.cost = client, client > 0 and 1 or 0
            state.left = max(state.size - others, 0)
        end

        -- Counts the client that asks from now on.
        function clients.add(state)
            for i, one in ipairs(state.entries) do
                if one[1] == state.client then
                    table.remove(state.entries, i)
                    break
                end
            end
            table.insert(state.entries, { state.client, now })
        end

        -- For how long a set is kept, and its value.
        function clients.show(state, latch)
            local words, last = { string.format('c %.0f', latch) }, nil
            for _, one in ipairs(state.entries) do
                table.insert(words, string.format('%.0f:%.0f', one[1], one[2]))
                last = one[2]
            end
            return last and last + state.period - now or 0, table.concat(words, ' ')
        end

        return clients
    end

    -- Copies that a window of so many lets the next one have.
    local function multiply(state, copies)
        local product = state.amount * copies
        return (product - math.fmod(product, 1000)) / 1000
    end

    -- Closes the window if it is over; past is what was known of the ones before. True when
    -- anything changed.
    local function roll(state, past)
        local total, largest = min(state.copies + state.trained, COPIES_MAX), 0
        local changed = false
        state.past = {}
        if total > 0 and state.start > now then
            state.start, state.repaired, changed = now, true, true
        end
        if total > 0 and now - state.start >= state.period then
            if not state.braked and multiply(state, total) > state.most then
                past[PAST_MAX] = nil
                table.insert(past, 1, { state.start + state.period, total })
            end
            state.copies, state.trained, state.braked, changed = 0, 0, false, true
        end
        for _, one in ipairs(past) do
            if one[1] > now then
                one[1], state.repaired, changed = now, true, true
            end
            if now - one[1] < MEMORY then
                table.insert(state.past, one)
                largest = max(largest, one[2])
            else
                changed = true
            end
        end
        state.size = max(multiply(state, largest), state.most)
        return changed
    end

    -- Takes the value of a key as it is now; false when it is no window's.
    function window.parse(state, value)
        local kind, start, open, trained, latch, rest =
            match(value, '^([wW]) (%d+) (%d+) (%d+) (%d+)(.*)$')
        local past, length = {}, 0
        state.start, state.copies = number(start, STAMP_MAX), number(open, COPIES_MAX)
        state.trained, state.latch = number(trained, COPIES_MAX), number(latch, STAMP_MAX)
        state.braked = kind == 'W'
        for stamp, sent in string.gmatch(rest or '', ' (%d+):(%d+)') do
            local over, copies = number(stamp, STAMP_MAX), number(sent, COPIES_MAX)
            if not (over and copies) or #past == PAST_MAX then
                return false
            end
            table.insert(past, { over, copies })
            length = length + #stamp + #sent + 2
        end
        if not (state.start and state.copies and state.trained and state.latch) or
            length ~= #rest then
            return false
        end
        state.text = not roll(state, past) and value or nil
        return true
    end

    return window
end
