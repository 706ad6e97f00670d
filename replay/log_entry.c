/* Its strings lie one after the other in a single block, so that a message of one
 * recipient needs two allocations. */
#include "replay/log_entry.h"

#include <stdlib.h>

enum { FIRST_TEXTS = 96, FIRST_RECIPIENTS = 1, INDEXED_FROM = 16 };

size_t log_entry_bytes(const struct log_entry *entry)
{
    return sizeof *entry + entry->text_room +
           entry->recipient_room * sizeof *entry->recipients +
           entry->index_size * sizeof *entry->index +
           (entry->members == NULL ? 0 : log_entry_bytes(entry->members));
}

void log_entry_free(struct log_entry *entry)
{
    if (entry == NULL)
        return;
    log_entry_free(entry->members); /* which has none */
    free(entry->texts);
    free(entry->recipients);
    free(entry->index);
    free(entry);
}

/* Items with room for needed ones of size bytes each, where *room is that of old; NULL
 * without memory, and old is as before. */
static void *grow(void *old, uint32_t *room, size_t needed, size_t size, uint32_t first)
{
    size_t more = *room == 0 ? first : *room;
    if (needed <= *room)
        return old;
    while (more < needed)
        more *= 2;
    void *grown = more > UINT32_MAX ? NULL : realloc(old, more * size);
    if (grown != NULL)
        *room = (uint32_t)more;
    return grown;
}

bool log_entry_keep(struct log_entry *entry, struct log_slice text, uint32_t *out)
{
    size_t start = entry->text_length == 0 ? 1 : entry->text_length;
    char *texts =
        grow(entry->texts, &entry->text_room, start + text.length + 1, 1, FIRST_TEXTS);
    if (texts == NULL)
        return false;
    entry->texts = texts;
    texts[0] = '\0';
    memcpy(texts + start, text.data, text.length);
    texts[start + text.length] = '\0';
    for (char *nul; (nul = memchr(texts + start, '\0', text.length)) != NULL;)
        *nul = '?';
    entry->text_length = (uint32_t)(start + text.length + 1);
    *out = (uint32_t)start;
    return true;
}

/* FNV-1a from the entry's seed on. */
static uint32_t hash_of(const struct log_entry *entry, struct log_slice text)
{
    uint32_t hash = entry->seed;
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    return hash;
}

static bool is_recipient(const struct log_entry *entry, uint32_t number,
                         struct log_slice address, uint32_t hash)
{
    const struct log_recipient *recipient = &entry->recipients[number];
    const char *known = entry->texts + recipient->address;
    return recipient->hash == hash && strlen(known) == address.length &&
           memcmp(known, address.data, address.length) == 0;
}

/* Its number, or where in the index it belongs. */
static bool find(const struct log_entry *entry, struct log_slice address, uint32_t hash,
                 uint32_t *out)
{
    if (entry->index == NULL) {
        for (uint32_t i = 0; i < entry->recipient_count; i++) {
            if (is_recipient(entry, i, address, hash)) {
                *out = i;
                return true;
            }
        }
        return false;
    }
    uint32_t mask = entry->index_size - 1, at = hash & mask;
    for (; entry->index[at] != 0; at = (at + 1) & mask) {
        if (is_recipient(entry, entry->index[at] - 1, address, hash)) {
            *out = entry->index[at] - 1;
            return true;
        }
    }
    *out = at;
    return false;
}

bool log_entry_find(const struct log_entry *entry, struct log_slice address,
                    uint32_t *out_number)
{
    uint32_t number;
    if (!find(entry, address, hash_of(entry, address), &number))
        return false;
    *out_number = number;
    return true;
}

/* Four places for each recipient there is: two at least when their number has doubled. */
static bool make_index(struct log_entry *entry)
{
    uint32_t size = 64;
    while (size < entry->recipient_count * 4)
        size *= 2;
    uint32_t *index = calloc(size, sizeof *index);
    if (index == NULL)
        return false;
    for (uint32_t i = 0; i < entry->recipient_count; i++) {
        uint32_t at = entry->recipients[i].hash & (size - 1);
        while (index[at] != 0)
            at = (at + 1) & (size - 1);
        index[at] = i + 1;
    }
    free(entry->index);
    entry->index = index;
    entry->index_size = size;
    return true;
}

bool log_entry_add(struct log_entry *entry, struct log_slice address, uint64_t mailboxes,
                   uint32_t *out_number)
{
    uint32_t hash = hash_of(entry, address), place = 0;
    struct log_recipient new = {.hash = hash, .mailboxes = mailboxes};
    if (entry->recipients != NULL && find(entry, address, hash, &place)) {
        entry->recipients[place].mailboxes += mailboxes;
        *out_number = place;
        return true;
    }
    if (entry->recipient_count == LOG_RECIPIENTS_MAX) {
        entry->cut = true;
        *out_number = LOG_RECIPIENTS_MAX - 1;
        return true;
    }
    struct log_recipient *recipients =
        grow(entry->recipients, &entry->recipient_room, entry->recipient_count + 1ul,
             sizeof new, FIRST_RECIPIENTS);
    if (recipients == NULL)
        return false;
    entry->recipients = recipients;
    if (!log_entry_keep(entry, address, &new.address))
        return false;
    *out_number = entry->recipient_count;
    entry->recipients[entry->recipient_count++] = new;
    if (entry->index != NULL)
        entry->index[place] = entry->recipient_count;
    return entry->recipient_count < INDEXED_FROM ||
           entry->recipient_count * 2 < entry->index_size || make_index(entry);
}

bool log_entry_add_member(struct log_entry *entry, struct log_slice member,
                          uint32_t recipient, uint32_t *out)
{
    if (entry->members == NULL) {
        entry->members = calloc(1, sizeof *entry->members);
        if (entry->members == NULL)
            return false;
        entry->members->seed = entry->seed;
    }
    uint32_t before = entry->members->recipient_count;
    if (!log_entry_add(entry->members, member, 0, out))
        return false;
    if (entry->members->recipient_count > before)
        entry->members->recipients[*out].mailboxes = recipient;
    return true;
}

/* The number of the parent's recipient that the child's address stands for: of that name,
 * or the one by which the child was found. */
static uint32_t meant(const struct log_entry *parent, const struct log_entry *child,
                      struct log_slice address)
{
    uint32_t number = child->parent_recipient, member;
    if (child->members != NULL && log_entry_find(child->members, address, &member))
        return (uint32_t)child->members->recipients[member].mailboxes;
    (void)log_entry_find(parent, address, &number);
    return number;
}

void log_entry_count_child(struct log_entry *parent, const struct log_entry *child)
{
    for (uint32_t i = 0; i < child->recipient_count; i++) {
        const char *address = child->texts + child->recipients[i].address;
        struct log_slice slice = {address, strlen(address)};
        uint32_t number = meant(parent, child, slice);
        uint64_t mailboxes = child->recipients[i].mailboxes;
        if (child->is_passed_on && mailboxes > 0)
            mailboxes--;
        if (number < parent->recipient_count)
            parent->recipients[number].mailboxes += mailboxes;
    }
}

void log_entry_forget_recipients(struct log_entry *entry)
{
    free(entry->index);
    entry->index = NULL;
    entry->index_size = 0;
    entry->recipient_count = 0;
}

bool log_entry_is_complete(const struct log_entry *entry)
{
    return entry->finished && entry->open_children == 0;
}

enum mail_log_end log_entry_end(const struct log_entry *entry)
{
    if (entry->rejected)
        return MAIL_LOG_REJECTED;
    if (entry->results[LOG_SENT] > 0)
        return MAIL_LOG_SENT;
    if (entry->results[LOG_DEFERRED] > 0)
        return MAIL_LOG_DEFERRED;
    if (entry->results[LOG_BOUNCED] > 0)
        return MAIL_LOG_BOUNCED;
    return entry->held && !entry->active ? MAIL_LOG_HELD : MAIL_LOG_OPEN;
}
