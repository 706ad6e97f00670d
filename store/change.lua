-- Changes all documents, or none (store/documents.h). A collection is a hash, its index a
-- sorted set in which all scores are 0.
-- KEYS: the collection and the index of each document, and the hash of the stamp. ARGV: how
-- many bytes a value and an entry may have, and how many terms a document; the new stamp,
-- or '' for none; then for each document id, how many documents the collection may have,
-- whether it is indexed (1 or 0), check (any, absent, equal), expected, write (set, delete),
-- value. For what is damaged expected is as read.lua shows it.
-- Reply: 1 done, 0 a check failed, -1 a collection would be too large.
local value_max, entry_max, terms_max = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local documents, grows, leaving = {}, {}, {}

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

-- The terms in the first line of a value, by their entries.
local function entries_of(document, value)
    local entries, count = {}, 0
    local line = document.indexed and value and string.match(value, '^([^\n]*)\n') or ''
    for term in string.gmatch(line, '[^\t]+') do
        local entry = term .. ' ' .. document.id
        if #entry <= entry_max and count < terms_max and not entries[entry] then
            entries[entry], count = term, count + 1
        end
    end
    return entries
end

-- What one has and the other has not.
local function difference(entries, others)
    local list = {}
    for entry in pairs(entries) do
        if not others[entry] then
            table.insert(list, entry)
        end
    end
    return list
end

local function read(i)
    local at = 5 + (i - 1) * 7
    local document = { key = KEYS[2 * i - 1], index = KEYS[2 * i], id = ARGV[at],
        max = tonumber(ARGV[at + 1]), indexed = ARGV[at + 2] == '1', write = ARGV[at + 5] }
    local check = ARGV[at + 3]
    local found, failure = run('HGET', document.key, document.id)
    if failure then
        return nil, failure
    end
    if check == 'absent' and found or check == 'equal' and not is_equal(found, ARGV[at + 4]) then
        return nil, 0
    end
    document.value = document.write == 'set' and ARGV[at + 6] or nil
    local before, after = entries_of(document, found), entries_of(document, document.value)
    document.gains, document.loses = difference(after, before), difference(before, after)
    document.terms = after
    for _, entry in ipairs(document.loses) do
        leaving[document.index .. entry] = true
    end
    local more = (document.value and 1 or 0) - (found and 1 or 0)
    grows[document.key] = { more = (grows[document.key] or { more = 0 }).more + more,
        max = document.max }
    return document
end

-- Whether a term that begins with '=' is another document's.
local function is_taken(document)
    for _, entry in ipairs(document.gains) do
        local term = document.terms[entry]
        if string.sub(term, 1, 1) == '=' then
            local found, failure = run('ZRANGEBYLEX', document.index, '[' .. term .. ' ',
                '(' .. term .. '!')
            if failure then
                return failure
            end
            for _, other in ipairs(found) do
                if other ~= entry and not leaving[document.index .. other] then
                    return 0
                end
            end
        end
    end
end

for i = 1, (#KEYS - 1) / 2 do
    local document, failure = read(i)
    if not document then
        return failure
    end
    documents[i] = document
end
for _, document in ipairs(documents) do
    local taken = is_taken(document)
    if taken then
        return taken
    end
end
for key, change in pairs(grows) do
    if change.more > 0 then
        local count, failure = run('HLEN', key)
        if failure then
            return failure
        elseif count + change.more > change.max then
            return -1
        end
    end
end
-- Redis takes nothing back, so each command is seen to be allowed before anything is
-- written: no document has an empty id, and XX adds nothing. If the first HSET is allowed,
-- so are the others.
for _, document in ipairs(documents) do
    local _, failure
    if document.write == 'delete' then
        _, failure = run('HDEL', document.key, '')
    end
    if not failure and #document.loses > 0 then
        _, failure = run('ZREM', document.index, '')
    end
    if not failure and #document.gains > 0 then
        _, failure = run('ZADD', document.index, 'XX', 0, '')
    end
    if failure then
        return failure
    end
end
if ARGV[4] ~= '' then -- without the documents it would only say too much
    local _, failure = run('HSET', KEYS[#KEYS], 'changed', ARGV[4])
    if failure then
        return failure
    end
end
for _, which in ipairs({ 'set', 'delete' }) do
    for _, document in ipairs(documents) do
        local _, failure
        if document.write == which and which == 'set' then
            _, failure = run('HSET', document.key, document.id, document.value)
        elseif document.write == which then
            _, failure = run('HDEL', document.key, document.id)
        end
        if failure then
            return failure
        end
    end
end
for _, document in ipairs(documents) do
    if #document.loses > 0 then
        run('ZREM', document.index, unpack(document.loses))
    end
    local scored = {}
    for _, entry in ipairs(document.gains) do
        table.insert(scored, 0)
        table.insert(scored, entry)
    end
    if #scored > 0 then
        run('ZADD', document.index, unpack(scored))
    end
end
return 1
