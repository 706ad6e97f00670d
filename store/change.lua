-- Changes all documents, or none (store/documents.h). A collection is a hash.
-- KEYS: the collection of each document. ARGV: how many a collection may have, and how many
-- bytes a value; then for each document id, check (any, absent, equal), expected, write
-- (set, delete), value. For what is damaged expected is as read.lua shows it.
-- Reply: 1 done, 0 a check failed, -1 a collection would be too large.
local documents_max, value_max = tonumber(ARGV[1]), tonumber(ARGV[2])
local grows = {}

local function document(i)
    local at = 3 + (i - 1) * 5
    return ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
end

-- What a command says, or that it is refused: another type, an ACL, no memory.
local function run(command, key, ...)
    local reply = redis.pcall(command, key, ...)
    if type(reply) == 'table' and reply.err then
        return nil, redis.error_reply('REFUSED ' .. command .. ' ' .. reply.err .. ' ' .. key)
    end
    return reply
end

local function is_equal(found, expected)
    if not found or #found <= value_max and not string.find(found, '\0', 1, true) then
        return found == expected
    end
    return 'damaged ' .. redis.sha1hex(found) == expected
end

for i, key in ipairs(KEYS) do
    local id, check, expected, write = document(i)
    local found, failure = run('HGET', key, id)
    if failure then
        return failure
    end
    if check == 'absent' and found or check == 'equal' and not is_equal(found, expected) then
        return 0
    end
    if write == 'set' and not found then
        grows[key] = (grows[key] or 0) + 1
    elseif write == 'delete' and found then
        grows[key] = (grows[key] or 0) - 1
    end
end
for key, more in pairs(grows) do
    if more > 0 then
        local count, failure = run('HLEN', key)
        if failure then
            return failure
        elseif count + more > documents_max then
            return -1
        end
    end
end
-- Redis takes nothing back, so HDEL is seen to be allowed before anything is written: no
-- document has an empty id. If the first HSET is allowed, so are the others.
for i, key in ipairs(KEYS) do
    local _, _, _, write = document(i)
    if write == 'delete' then
        local _, failure = run('HDEL', key, '')
        if failure then
            return failure
        end
    end
end
for _, which in ipairs({ 'set', 'delete' }) do
    for i, key in ipairs(KEYS) do
        local id, _, _, write, value = document(i)
        local _, failure
        if write == which and write == 'set' then
            _, failure = run('HSET', key, id, value)
        elseif write == which then
            _, failure = run('HDEL', key, id)
        end
        if failure then
            return failure
        end
    end
end
return 1
