-- Reads documents (store/documents.h). KEYS: the collection, a hash, and its index. ARGV:
-- how many bytes an id, a value and an entry may have; then count; or get and an id; or
-- list, a cursor and how many; or many and ids; or entries, from, until; or page, from, until, how many, how
-- many bytes, and bare or whole. Reply: a number; the value, or nil; the next cursor, and
-- ids and values by turns; of a page where the next begins ('' after the last), and entries
-- and values by turns, of a bare one entries alone. A value that is too long or no text
-- stays here, so that it blinds nobody: its hash stands for it, which change.lua knows, too.
-- What has such an id is left out.
local id_max, value_max, entry_max = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function is_text(string, max)
    return #string <= max and not string.find(string, '\0', 1, true)
end

local function shown(value)
    return is_text(value, value_max) and value or 'damaged ' .. redis.sha1hex(value)
end

local function run(command, key, ...)
    local reply = redis.pcall(command, key, ...)
    if type(reply) == 'table' and reply.err then
        return nil, redis.error_reply('REFUSED ' .. command .. ' ' .. reply.err .. ' ' .. key)
    end
    return reply
end

local function page(from, until_, count, bytes, bare)
    local list, used, last = {}, 0, from
    local found, failure = run('ZRANGEBYLEX', KEYS[2], '[' .. from, '(' .. until_, 'LIMIT', 0, count)
    if failure then
        return failure
    end
    for _, entry in ipairs(found) do
        if used >= bytes then
            return { last .. '\1', list }
        end
        local id = string.match(entry, '[^ ]*$')
        local sound, value = is_text(entry, entry_max) and id ~= '', nil
        if sound and not bare then
            value, failure = run('HGET', KEYS[1], id)
            if failure then
                return failure
            end
        end
        if sound and (bare or value) then
            table.insert(list, entry)
        end
        if sound and value then
            table.insert(list, shown(value))
            used = used + #list[#list]
        end
        last = is_text(entry, entry_max) and entry or last
    end
    return { #found < count and '' or last .. '\1', list }
end

if ARGV[4] == 'get' then
    local value, failure = run('HGET', KEYS[1], ARGV[5])
    return failure or value and shown(value)
elseif ARGV[4] == 'count' then
    local count, failure = run('HLEN', KEYS[1])
    return failure or count
elseif ARGV[4] == 'entries' then
    local count, failure = run('ZLEXCOUNT', KEYS[2], '[' .. ARGV[5], '(' .. ARGV[6])
    return failure or count
elseif ARGV[4] == 'many' then
    local list = {}
    for at = 5, #ARGV do
        local value, failure = run('HGET', KEYS[1], ARGV[at])
        if failure then
            return failure
        elseif value then
            table.insert(list, ARGV[at])
            table.insert(list, shown(value))
        end
    end
    return { '0', list }
elseif ARGV[4] == 'page' then
    return page(ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == 'bare')
end

local scanned, failure = run('HSCAN', KEYS[1], ARGV[5], 'COUNT', ARGV[6])
if failure then
    return failure
end
local list = {}
for at = 1, #scanned[2], 2 do
    local id, value = scanned[2][at], scanned[2][at + 1]
    if id ~= '' and is_text(id, id_max) then
        table.insert(list, id)
        table.insert(list, shown(value))
    end
end
return { scanned[1], list }
