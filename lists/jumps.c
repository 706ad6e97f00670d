/* Lists are taken from small to large, so that a list comes after those in it: what these
 * have grown by is no jump of its own. */
#include "lists/jumps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/intern.h"
#include "base/text.h"
#include "lists/jumps_file.h"

/* How long a list that is gone is remembered: it may come back. */
#define GONE_MS (INT64_C(30) * 24 * 3600 * 1000)

struct jumps {
    struct jump_records records;
    const char *folder;
    bool loaded;
    uint32_t pass;
};

/* A list larger than its accepted size allows. */
struct candidate {
    uint32_t list;
    uint32_t record;
    uint64_t size;
    size_t nested;
    const struct list_origin *origin;
};

struct candidates {
    struct candidate *items;
    size_t count;
};

bool jumps_is_jump(const struct list_source *source, uint64_t less, uint64_t more)
{
    uint64_t factor = (uint64_t)source->max_growth;
    return factor > 0 && more > less && more - less > (uint64_t)source->growth_floor &&
           more > less / 1000 * factor + less % 1000 * factor / 1000;
}

struct jumps *jumps_new(const char *folder)
{
    struct jumps *jumps = calloc(1, sizeof *jumps);
    if (jumps == NULL)
        return NULL;
    jumps->folder = folder;
    return jumps;
}

void jumps_free(struct jumps *jumps)
{
    if (jumps == NULL)
        return;
    jump_records_clear(&jumps->records);
    free(jumps);
}

static struct jump_record *find(const struct jumps *jumps, const char *address)
{
    uint32_t id;
    if (jumps->records.addresses == NULL ||
        !intern_find(jumps->records.addresses, address, strlen(address), &id))
        return NULL;
    return &jumps->records.items[id];
}

/* ---- comparing ---- */

/* The list that answers at the address of one: joined with others, or itself. */
static uint32_t answering(const struct directory *directory, uint32_t list)
{
    struct address address;
    struct target target;
    const char *text = directory_list(directory, list)->address;
    if (address_parse(text, strlen(text), &address) != STATUS_OK)
        return list;
    directory_find(directory, &address, &target);
    return target.list == DIRECTORY_NONE ? list : target.list;
}

static void set_state(struct jump_record *record, enum jump_state state)
{
    if (record->state != state)
        record->notified = 0;
    record->state = state;
}

static enum status add_candidate(struct candidates *candidates,
                                 const struct candidate *candidate)
{
    if (!array_reserve(&candidates->items, candidates->count, sizeof *candidates->items))
        return STATUS_NOMEM;
    candidates->items[candidates->count++] = *candidate;
    return STATUS_OK;
}

/* A list as it is now against its record. */
static enum status compare(struct jumps *jumps, const struct jumps_args *args,
                           uint32_t number, const struct list_origin *origin,
                           struct candidates *candidates)
{
    uint32_t at;
    uint32_t list = answering(args->directory, number);
    const struct list *now = directory_list(args->directory, list);
    const char *address = directory_list(args->directory, number)->address;
    enum status status =
        jump_records_open(&jumps->records, address, strlen(address), &at);
    if (status != STATUS_OK)
        return status == STATUS_LIMIT ? STATUS_OK : status;
    struct jump_record *record = &jumps->records.items[at];
    if (record->pass == jumps->pass)
        return STATUS_OK; /* one of those that are joined */
    record->pass = jumps->pass;
    record->gone_ms = 0;
    record->accepted = record->forgotten = false;
    if (now->state == LIST_UNKNOWN)
        return STATUS_OK;
    if (!record->known)
        *record = (struct jump_record){.known = true,
                                       .was = origin->was > 0 ? origin->was : now->size,
                                       .pass = jumps->pass};
    record->size = now->size;
    if (jumps_is_jump(origin->source, record->was, now->size)) {
        struct candidate candidate = {
            .list = list, .record = at, .size = now->size, .origin = origin};
        (void)directory_nested(args->directory, list, &candidate.nested);
        return add_candidate(candidates, &candidate);
    }
    set_state(record, now->state == LIST_SHRUNK ? JUMP_SHRUNK : JUMP_NONE);
    if (record->state == JUMP_NONE)
        record->was = now->size;
    directory_set_was(args->directory, list, record->was, false);
    return STATUS_OK;
}

static int by_size(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    if (a->nested != b->nested)
        return a->nested < b->nested ? -1 : 1;
    return a->list < b->list ? -1 : a->list > b->list;
}

/* What the lists in it have grown by. */
static uint64_t growth_within(const struct directory *directory, uint32_t list)
{
    size_t count;
    uint64_t growth = 0;
    const uint32_t *nested = directory_nested(directory, list, &count);
    for (size_t i = 0; i < count; i++) {
        const struct list *inner = directory_list(directory, nested[i]);
        if (inner->state == LIST_GROWN)
            growth += inner->size - inner->was;
    }
    return growth;
}

static void warn_of_growth(const struct jumps_args *args, const struct candidate *found,
                           const char *address, uint64_t was)
{
    struct text shown = {0};
    struct text numbers = {0};
    const struct list *list = directory_list(args->directory, found->list);
    text_add_escaped(&shown, address, strlen(address), ADDRESS_SIZE);
    text_add_grouped(&numbers, was);
    text_add_string(&numbers, " to ");
    text_add_grouped(&numbers, found->size);
    problems_warning(args->problems, list->source, found->origin->line,
                     "%s has grown from %s; mail to it gets lists_grown until somebody "
                     "types: mailbrake lists accept %s",
                     text_string(&shown), text_string(&numbers), text_string(&shown));
    text_clear(&shown);
    text_clear(&numbers);
}

static void judge_candidate(struct jumps *jumps, const struct jumps_args *args,
                            const struct candidate *found)
{
    struct jump_record *record = &jumps->records.items[found->record];
    uint64_t within = growth_within(args->directory, found->list);
    uint64_t own = found->size > within ? found->size - within : 0;
    bool grown = jumps_is_jump(found->origin->source, record->was, own);
    set_state(record, grown ? JUMP_GROWN : JUMP_NONE);
    directory_set_was(args->directory, found->list, record->was, grown);
    if (grown)
        warn_of_growth(args, found,
                       intern_string(jumps->records.addresses, found->record),
                       record->was);
}

/* Those not seen in this pass: a list that comes back is compared with what it was. */
static void age_gone(struct jumps *jumps, int64_t now_ms)
{
    bool any = false;
    for (size_t i = 0; i < jumps->records.count; i++) {
        struct jump_record *record = &jumps->records.items[i];
        if (record->pass == jumps->pass)
            continue;
        set_state(record, JUMP_NONE);
        record->accepted = false;
        if (record->gone_ms == 0)
            record->gone_ms = now_ms;
        record->forgotten = now_ms - record->gone_ms > GONE_MS;
        any |= record->forgotten;
    }
    if (any)
        jump_records_compact(&jumps->records);
}

static enum status save(struct jumps *jumps, struct error *error)
{
    if (jumps->folder == NULL)
        return STATUS_OK;
    return jumps_file_write(jumps->folder, &jumps->records, error);
}

enum status jumps_load(struct jumps *jumps, bool only_look, struct problems *problems)
{
    struct error error = {0};
    if (jumps->loaded || jumps->folder == NULL)
        return STATUS_OK;
    enum status status = jumps_file_read(jumps->folder, &jumps->records, &error);
    if (status == STATUS_NOMEM)
        return status;
    jumps->loaded = true;
    if (error.text[0] != '\0' && !only_look)
        problems_warning(problems, error.file, 0,
                         status == STATUS_OK
                             ? "%s: its copy beside it is used"
                             : "%s, and its copy is of no use: the accepted sizes of "
                               "lists are lost, and all sizes count as accepted",
                         error.text);
    return STATUS_OK;
}

enum status jumps_apply(struct jumps *jumps, const struct jumps_args *args)
{
    struct error error = {0};
    struct candidates candidates = {0};
    enum status status = STATUS_OK;
    jumps->pass++;
    for (uint32_t i = 0; i < args->origin_count && status == STATUS_OK; i++) {
        if (args->origins[i].source != NULL)
            status = compare(jumps, args, i, &args->origins[i], &candidates);
    }
    if (candidates.count > 0)
        qsort(candidates.items, candidates.count, sizeof *candidates.items, by_size);
    for (size_t i = 0; i < candidates.count && status == STATUS_OK; i++)
        judge_candidate(jumps, args, &candidates.items[i]);
    free(candidates.items);
    if (status != STATUS_OK)
        return status;
    age_gone(jumps, args->now_ms);
    if (args->only_look)
        return STATUS_OK;
    status = save(jumps, &error);
    if (status == STATUS_IO)
        problems_warning(args->problems, error.file, 0,
                         "can't keep the accepted sizes of lists: %s", error.text);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

/* ---- accepting ---- */

void list_jumps_clear(struct list_jumps *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].address);
    free(list->items);
    *list = (struct list_jumps){0};
}

static enum status add_jump(const struct jumps *jumps, uint32_t at,
                            struct list_jumps *list)
{
    const struct jump_record *record = &jumps->records.items[at];
    if (!array_reserve(&list->items, list->count, sizeof *list->items))
        return STATUS_NOMEM;
    char *address = strdup(intern_string(jumps->records.addresses, at));
    if (address == NULL)
        return STATUS_NOMEM;
    list->items[list->count++] = (struct list_jump){.address = address,
                                                    .was = record->was,
                                                    .size = record->size,
                                                    .grown = record->state == JUMP_GROWN};
    return STATUS_OK;
}

/* What a list grew by is accepted in those that contain it, too. */
static void accept_around(const struct jumps *jumps, const struct directory *directory,
                          const char *inner, uint64_t growth)
{
    struct address address;
    struct target target;
    if (address_parse(inner, strlen(inner), &address) != STATUS_OK)
        return;
    directory_find(directory, &address, &target);
    for (uint32_t i = 0; i < directory_list_count(directory); i++) {
        if (target.list == DIRECTORY_NONE || i == target.list ||
            !directory_contains(directory, i, target.list) ||
            answering(directory, i) != i)
            continue;
        struct jump_record *outer = find(jumps, directory_list(directory, i)->address);
        if (outer == NULL || outer->pass != jumps->pass || outer->was >= outer->size)
            continue;
        outer->was =
            outer->size - outer->was > growth ? outer->was + growth : outer->size;
    }
}

static void accept_one(struct jumps *jumps, const struct directory *directory,
                       uint32_t at)
{
    struct jump_record *record = &jumps->records.items[at];
    uint64_t was = record->was;
    bool grown = record->state == JUMP_GROWN;
    record->was = record->size;
    record->accepted = !grown;
    set_state(record, JUMP_NONE);
    if (grown)
        accept_around(jumps, directory, intern_string(jumps->records.addresses, at),
                      record->size - was);
}

enum status jumps_accept(struct jumps *jumps, const struct directory *directory,
                         const char *address, struct list_jumps *out)
{
    struct list_jumps list = {0};
    enum status status = STATUS_OK;
    uint32_t count = (uint32_t)jumps->records.count;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (jumps->records.items[i].state != JUMP_NONE &&
            (address == NULL ||
             strcmp(intern_string(jumps->records.addresses, i), address) == 0))
            status = add_jump(jumps, i, &list);
    }
    if (status == STATUS_OK && address != NULL && list.count == 0)
        status = STATUS_NOT_FOUND;
    if (status != STATUS_OK) {
        list_jumps_clear(&list);
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (jumps->records.items[i].state != JUMP_NONE &&
            (address == NULL ||
             strcmp(intern_string(jumps->records.addresses, i), address) == 0))
            accept_one(jumps, directory, i);
    }
    *out = list;
    return STATUS_OK;
}

void jumps_look_again(const struct jumps *jumps, struct list_jumps *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct jump_record *record = find(jumps, list->items[i].address);
        if (record == NULL)
            continue;
        list->items[i].size = record->gone_ms > 0 ? 0 : record->size;
        list->items[i].grown &= list->items[i].size >= list->items[i].was;
    }
}

bool jumps_is_accepted(const struct jumps *jumps, const char *address)
{
    const struct jump_record *record = find(jumps, address);
    return record != NULL && record->accepted;
}

bool jumps_is_grown(const struct jumps *jumps, const char *address)
{
    const struct jump_record *record = find(jumps, address);
    return record != NULL && record->state == JUMP_GROWN;
}

/* ---- notices ---- */

enum status jumps_to_notify(const struct jumps *jumps, int64_t wanted,
                            struct list_jumps *out, int64_t *out_notified)
{
    struct list_jumps list = {0};
    enum status status = STATUS_OK;
    *out_notified = 0;
    for (uint32_t i = 0; i < jumps->records.count && status == STATUS_OK; i++) {
        const struct jump_record *record = &jumps->records.items[i];
        if (record->state == JUMP_NONE || (wanted & ~record->notified) == 0)
            continue;
        if (list.count == 0)
            *out_notified = record->notified;
        if (record->notified == *out_notified)
            status = add_jump(jumps, i, &list);
    }
    if (status == STATUS_OK)
        *out = list;
    else
        list_jumps_clear(&list);
    return status;
}

enum status jumps_set_notified(struct jumps *jumps, const struct list_jumps *list,
                               int64_t notified, struct error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        struct jump_record *record = find(jumps, list->items[i].address);
        if (record != NULL && record->state != JUMP_NONE)
            record->notified |= notified;
    }
    return save(jumps, error);
}
