-- Reads documents (store/documents.h). KEYS: the collection, a hash. ARGV: how many bytes an
-- id and a value may have; then count; or get and an id; or list, a cursor and how
-- many. Reply: a number; the value, or nil; the next cursor, and ids and values by turns. A value that is too long or no text stays here, so that it blinds nobody: its hash
-- stands for it, which change.lua knows, too. What has such an id is left out.
local id_max, value_max = tonumber(ARGV[1]), tonumber(ARGV[2])

local function is_text(string, max)
    return #string <= max and not string.find(string, '\0', 1, true)
end

local function shown(value)
    return is_text(value, value_max) and value or 'damaged ' .. redis.sha1hex(value)
end

local function run(command, ...)
    local reply = redis.pcall(command, KEYS[1], ...)
    if type(reply) == 'table' and reply.err then
        return nil, redis.error_reply('REFUSED ' .. command .. ' ' .. reply.err .. ' ' .. KEYS[1])
    end
    return reply
end

if ARGV[3] == 'get' then
    local value, failure = run('HGET', ARGV[4])
    return failure or value and shown(value)
elseif ARGV[3] == 'count' then
    local count, failure = run('HLEN')
    return failure or count
end

local page, failure = run('HSCAN', ARGV[4], 'COUNT', ARGV[5])
if failure then
    return failure
end
local list = {}
for at = 1, #page[2], 2 do
    local id, value = page[2][at], page[2][at + 1]
    if id ~= '' and is_text(id, id_max) then
        table.insert(list, id)
        table.insert(list, shown(value))
    end
end
return { page[1], list }
