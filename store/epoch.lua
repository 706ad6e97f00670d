-- Tells a new store from the old: KEYS[1] is "id count". Who finds none, or another count than
-- it must have, gives the store a new id, so that every relay knows. ARGV: what is wanted;
-- id and count as the relay saw them last, id '' at first; and a new id.
-- enter: the store is to be used; tick: used it is, and the count grows, so that a copy of the
-- store that lags shows; look: neither. Reply: the id, the count, and whether the store is not
-- the one that the relay knows, or lags behind it. Only enter gives a new id.
local what, id, count, new_id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local value = redis.call('GET', KEYS[1])
local found, stands = string.match(value or '', '^(%x+) (%d+)$')
stands = tonumber(stands) or 0
local lags = found == id and stands < count
local lost = id ~= '' and (found ~= id or lags)

if what == 'enter' and (not found or lags) then
    found, stands = new_id, 1
    redis.call('SET', KEYS[1], found .. ' 1')
elseif what == 'tick' and not lost and found then
    stands = stands + 1
    redis.call('SET', KEYS[1], string.format('%s %.0f', found, stands))
end
return { found or '', stands, lost and 1 or 0 }
