/* Lists are compared as written, before they are flattened, as a person would who looks
 * at the file. */
#include "lists/shrink.h"

#include <string.h>

#include "lists/jumps.h"

/* A file of more members is no error message, whatever it holds. */
enum { GIBBERISH_MAX = 100 };

static bool is_less(const struct list_source *source, size_t now, size_t before)
{
    return before > 0 &&
           (now == 0 || jumps_is_jump(source, (uint64_t)now, (uint64_t)before));
}

/* The members that count as those of before. */
static struct member_list *members_before(struct entry *entry)
{
    return entry->kept.count > 0 ? &entry->kept : &entry->members;
}

/* What a list must not fall far below: nobody accepted what it grew by. */
static size_t size_before(struct entry *entry)
{
    return entry->accepted_count > 0 ? entry->accepted_count
                                     : members_before(entry)->count;
}

static size_t count_before(const struct entries *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++)
        count += size_before(&entries->items[i]);
    return count;
}

static size_t count_now(const struct entries *entries)
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
                         const struct member_list *before)
{
    return (source->kind == LIST_FILE || source->kind == LIST_FOLDER) &&
           now->members.count <= GIBBERISH_MAX && !has_address(&now->members) &&
           has_address(before);
}

/* whole: the table lost so much that none of its losses is believed. */
static bool is_shrunk(const struct list_source *source, bool whole,
                      const struct entry *now, struct entry *before)
{
    const struct member_list *members = members_before(before);
    if (now == NULL)
        return whole || source->kind == LIST_FOLDER ||
               (before->kind == ENTRY_LIST &&
                members->count > (size_t)source->growth_floor);
    if (now->failed || before->kind != ENTRY_LIST)
        return false;
    return is_less(source, now->members.count, size_before(before)) ||
           is_gibberish(source, now, members);
}

static enum status keep_one(struct entries *fresh, const char *key, struct entry *before,
                            int64_t read_at_ms)
{
    struct entry *entry;
    bool absent = entries_find(fresh, key) == NULL;
    enum status status = entries_open(fresh, key, strlen(key), &entry);
    if (status != STATUS_OK)
        return status;
    if (absent)
        entry->line = before->line;
    entry->absent = absent;
    entry->always_list = before->always_list;
    entry->read_at_ms = read_at_ms;
    status = member_list_lend(members_before(before), &entry->kept);
    return status == STATUS_OK ? entries_settle(fresh, entry) : status;
}

static void note_size_before(struct entry *entry, struct entry *before)
{
    size_t size = size_before(before);
    if (entry != NULL)
        entry->accepted_count = size == entry->members.count ? 0 : size;
}

enum status shrink_keep(const struct list_source *source, const struct shrink_last *last,
                        int64_t now_ms, struct entries *fresh)
{
    enum status status = STATUS_OK;
    size_t now = count_now(fresh);
    size_t before_all = count_before(last->entries);
    bool whole = source->kind != LIST_FILE && is_less(source, now, before_all);
    if (source->max_growth == 0)
        return STATUS_OK;
    for (size_t i = 0; i < last->entries->count && status == STATUS_OK; i++) {
        struct entry *before = &last->entries->items[i];
        const char *key = entries_key(last->entries, i);
        bool older = before->failed || before->kept.count > 0;
        int64_t read_at_ms = older ? before->read_at_ms : last->read_at_ms;
        if (members_before(before)->count > 0 &&
            now_ms - read_at_ms <= source->max_age_ms &&
            is_shrunk(source, whole, entries_find(fresh, key), before)) {
            status = keep_one(fresh, key, before, read_at_ms);
            fresh->shrunk_from = whole ? before_all : 0;
        }
        note_size_before(entries_find(fresh, key), before);
    }
    fresh->shrunk_to = now;
    return status;
}
