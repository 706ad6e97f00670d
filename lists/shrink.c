/* Lists are compared as written, before they are flattened: as somebody would who looks
 * at the file. */
#include "lists/shrink.h"

#include <string.h>

static bool is_less(size_t now, size_t before)
{
    size_t lost = before > now ? before - now : 0;
    return lost > 0 && (now == 0 || (lost > before / 2 && lost > SHRINK_FLOOR));
}

static size_t members_of(const struct entries *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++)
        count += entries->items[i].members.count;
    return count;
}

static bool has_address(const struct member_list *list)
{
    struct member_list_reader reader = member_list_read(list);
    struct member member;
    while (member_list_next(&reader, &member)) {
        if (memchr(member.text, '@', member.length) != NULL)
            return true;
    }
    return false;
}

/* True for a file of members that had addresses and now has none: it may be an error
 * message.
 */
static bool is_gibberish(const struct list_source *source, const struct entry *now,
                         const struct entry *before)
{
    return (source->kind == LIST_FILE || source->kind == LIST_FOLDER) &&
           now->members.count <= SHRINK_FLOOR && !has_address(&now->members) &&
           has_address(&before->members);
}

/* whole: the table lost so much that none of its losses is believed. */
static bool is_shrunk(const struct list_source *source, bool whole,
                      const struct entry *now, const struct entry *before)
{
    size_t members = before->members.count;
    if (now == NULL)
        return whole || source->kind == LIST_FOLDER ||
               (before->kind == ENTRY_LIST && members > SHRINK_FLOOR);
    if (now->failed || before->kind != ENTRY_LIST)
        return false;
    return is_less(now->members.count, members) || is_gibberish(source, now, before);
}

static enum status keep_one(struct entries *fresh, const char *key, struct entry *before,
                            int64_t read_at_ms)
{
    struct entry *entry;
    enum status status = entries_open(fresh, key, strlen(key), &entry);
    if (status != STATUS_OK)
        return status;
    if (entry->line == 0)
        entry->line = before->line;
    entry->always_list = before->always_list;
    entry->shrunk = true;
    entry->shrunk_to = entry->members.count;
    entry->read_at_ms = read_at_ms;
    member_list_clear(&entry->members);
    entry->members = before->members;
    before->members = (struct member_list){0};
    return entries_settle(fresh, entry);
}

enum status shrink_keep(const struct list_source *source, const struct shrink_last *last,
                        int64_t now_ms, struct entries *fresh)
{
    enum status status = STATUS_OK;
    size_t now = members_of(fresh);
    size_t before_all = members_of(last->entries);
    bool whole = source->kind != LIST_FILE && is_less(now, before_all);
    for (size_t i = 0; i < last->entries->count && status == STATUS_OK; i++) {
        struct entry *before = &last->entries->items[i];
        const char *key = entries_key(last->entries, i);
        bool older = before->failed || before->shrunk;
        int64_t read_at_ms = older ? before->read_at_ms : last->read_at_ms;
        if (before->members.count > 0 && now_ms - read_at_ms <= source->max_age_ms &&
            is_shrunk(source, whole, entries_find(fresh, key), before))
            status = keep_one(fresh, key, before, read_at_ms);
    }
    if (whole && members_of(fresh) > now) {
        fresh->shrunk_to = now;
        fresh->shrunk_from = before_all;
    }
    return status;
}
