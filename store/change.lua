-- Changes all documents, or none (store/documents.h). A collection is a hash.
-- KEYS: the collection of each document. ARGV: how many a collection may have; then for
-- each document id, check (any, absent, equal), expected, write (set, delete), value.
-- Reply: 1 done, 0 a check failed, -1 a collection would be too large.
local documents_max = tonumber(ARGV[1])
local grows = {}

local function document(i)
    local at = 2 + (i - 1) * 5
    return ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
end

for i, key in ipairs(KEYS) do
    local id, check, expected, write = document(i)
    local found = redis.pcall('HGET', key, id)
    if type(found) == 'table' then -- another type, or an ACL
        return redis.error_reply('REFUSED ' .. found.err .. ' ' .. key)
    end
    if check == 'absent' and found or check == 'equal' and found ~= expected then
        return 0
    end
    if write == 'set' and not found then
        grows[key] = (grows[key] or 0) + 1
    elseif write == 'delete' and found then
        grows[key] = (grows[key] or 0) - 1
    end
end
for key, more in pairs(grows) do
    if more > 0 and redis.call('HLEN', key) + more > documents_max then
        return -1
    end
end
for i, key in ipairs(KEYS) do
    local id, _, _, write, value = document(i)
    if write == 'set' then
        redis.call('HSET', key, id, value)
    else
        redis.call('HDEL', key, id)
    end
end
return 1
