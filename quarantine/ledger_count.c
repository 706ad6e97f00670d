/* Refused and deferred mail on its way into the store, and how many messages are held. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_list.h"
#include "quarantine/ledger_parts.h"
#include "quarantine/terms.h"

/* Incidents that a next message may join, for refused and deferred mail; past them a
 * key's part goes to its rule's PENDING_COUNTS_MANY, so that senders that nobody has seen
 * before can't fill the store. */
enum { OPEN_COUNTED_MAX = 2000 };

/* A measurement may have taken the same places back. */
void ledger_subtract(struct ledger *ledger, size_t count)
{
    size_t added = atomic_load(&ledger->added);
    while (!atomic_compare_exchange_weak(&ledger->added, &added,
                                         added > count ? added - count : 0))
        ;
}

void ledger_count(struct ledger *ledger, const struct event *event,
                  char out_incident[DIGEST_ID_SIZE])
{
    pending_counts_add(ledger->counts, event, event->action != ACTION_DEFER,
                       out_incident);
}

/* One key's part on its way into the store. */
struct entry {
    struct event event;
    struct stop stop;
    char open_key[PENDING_COUNTS_ID_SIZE];
    char incident[DIGEST_ID_SIZE];
};

static void make_entry(struct ledger *ledger, const struct pending_count *count,
                       bool many, struct entry *out)
{
    *out = (struct entry){
        .event = many ? pending_counts_many(&count->event) : count->event,
        .stop = {.event = &out->event,
                 .host = ledger->host,
                 .refused = count->refused,
                 .deferred = count->deferred,
                 .first_ms = count->first_ms},
    };
    pending_counts_format_id(&ledger->key, out->event.fingerprint, out->event.subject,
                             out->open_key);
}

/* One attempt. LIMIT without room for one more incident that is open. */
static enum status try_entry(struct ledger *ledger, struct entry *entry, size_t *room,
                             int64_t deadline_us)
{
    struct ledger_document open = {0}, fresh = {0};
    const struct ledger_document *const documents[] = {&open, &fresh};
    enum status status = ledger_read_open(ledger, entry->open_key, deadline_us, &open);
    if (status != STATUS_OK)
        return status;
    bool is_new = open.text == NULL;
    if (is_new && *room == 0 && strcmp(entry->event.subject, PENDING_COUNTS_MANY) != 0)
        status = STATUS_LIMIT;
    if (status == STATUS_OK)
        status = ledger_add_stop(&open, entry->open_key, &entry->stop, &fresh,
                                 entry->incident);
    if (status == STATUS_OK)
        status = ledger_write(ledger, documents, 2, deadline_us);
    if (status == STATUS_OK && is_new && *room > 0)
        --*room;
    ledger_document_clear(&open);
    ledger_document_clear(&fresh);
    return status;
}

static enum status write_count(struct ledger *ledger, const struct pending_count *count,
                               size_t *room, int64_t deadline_us)
{
    struct entry entry;
    enum status status = STATUS_CONFLICT;
    make_entry(ledger, count, false, &entry);
    while (status == STATUS_CONFLICT && clock_left_ms(deadline_us) > 0) {
        status = try_entry(ledger, &entry, room, deadline_us);
        if (status == STATUS_LIMIT &&
            strcmp(entry.event.subject, PENDING_COUNTS_MANY) != 0) {
            make_entry(ledger, count, true, &entry);
            status = STATUS_CONFLICT;
        }
    }
    if (status == STATUS_OK) {
        pending_counts_learn(ledger->counts, count->open_key, entry.incident);
        return STATUS_OK;
    }
    return status == STATUS_CONFLICT ? STATUS_UNAVAILABLE : status;
}

static enum status count_of(struct ledger *ledger, enum collection collection,
                            const char *term, int64_t deadline_us, size_t *out)
{
    struct scan scan;
    scan_set(&scan, collection, term, NULL);
    return scan_count(ledger->store, &scan, deadline_us, out);
}

enum status ledger_flush(struct ledger *ledger, int64_t deadline_us)
{
    struct pending_count count;
    size_t position = 0;
    size_t open;
    enum status pending = ledger_flush_pending(ledger, deadline_us);
    if (pending == STATUS_UNAVAILABLE || !pending_counts_is_pending(ledger->counts))
        return pending;
    enum status result =
        count_of(ledger, COLLECTION_INCIDENTS, TERMS_KEYS, deadline_us, &open);
    if (result != STATUS_OK)
        return result;
    size_t room = open < OPEN_COUNTED_MAX ? OPEN_COUNTED_MAX - open : 0;
    while (result != STATUS_UNAVAILABLE &&
           pending_counts_take(ledger->counts, &position, &count)) {
        enum status status = write_count(ledger, &count, &room, deadline_us);
        if (status != STATUS_OK) {
            pending_counts_return(ledger->counts, &count);
            result = status;
        }
        pending_count_clear(&count);
    }
    return result == STATUS_OK ? pending : result;
}

static enum status count_holds(struct ledger *ledger, int64_t deadline_us)
{
    size_t held;
    size_t added = atomic_load(&ledger->added);
    enum status status =
        count_of(ledger, COLLECTION_HOLDS, TERMS_HELD, deadline_us, &held);
    if (status != STATUS_OK)
        return status;
    atomic_store(&ledger->held, held);
    ledger_subtract(ledger, added);
    return STATUS_OK;
}

/* Holds that are entered while it counts are in both numbers for a second. */
enum status ledger_measure(struct ledger *ledger, bool has_room, int64_t deadline_us)
{
    atomic_store(&ledger->has_room, has_room);
    return count_holds(ledger, deadline_us);
}

struct recount {
    struct ledger *ledger;
    char host[TERMS_SIZE]; /* our own */
};

static enum status count_party(void *context, const char *entry, const char *text,
                               const json_t *record)
{
    struct party party;
    char host[TERMS_SIZE];
    const struct recount *recount = context;
    (void)text;
    (void)record;
    if (!terms_party(entry, &party, host))
        return STATUS_OK;
    parties_add(recount->ledger->parties, &party);
    if (strcmp(host, recount->host) != 0)
        parties_add_elsewhere(recount->ledger->parties, &party);
    return STATUS_OK;
}

enum status ledger_recount(struct ledger *ledger, int64_t deadline_us)
{
    struct scan scan;
    struct recount recount = {.ledger = ledger};
    terms_host(ledger->host, recount.host);
    scan_set(&scan, COLLECTION_HOLDS, TERMS_PARTIES, NULL);
    scan.bare = true;
    parties_begin(ledger->parties);
    enum status status = ledger_scan(ledger, &scan, deadline_us, count_party, &recount);
    if (status == STATUS_OK)
        parties_end(ledger->parties);
    return status == STATUS_OK ? count_holds(ledger, deadline_us) : status;
}
