/* What this process stopped, on its way into the store: refused and deferred mail, and
 * what was held while the store was away; and how many messages are held. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_list.h"
#include "quarantine/ledger_parts.h"
#include "quarantine/terms.h"

/* Open incidents, for refused and deferred mail; past so many a key is counted under its
 * rule's PENDING_COUNTS_MANY, so that senders never seen before can't fill the store. */
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

/* ---- held while the store was away: the incident has its id already, in the messages'
 * headers and in the replies to those that were refused ---- */

/* The incident is not in the store yet. It gets its key unless another incident, which is
 * open, has it by now; then both are open, and what comes next is that other's. */
static enum status make_incident(const struct pending_hold *pending,
                                 struct ledger_document *open,
                                 struct ledger_document *incident)
{
    incident->record = json_deep_copy(pending->alone);
    if (incident->record == NULL)
        return STATUS_NOMEM;
    if (open->record != NULL &&
        record_is_open(open->record, record_number(pending->alone, "last_at")))
        return STATUS_OK;
    return ledger_take_key(open, pending->open_key, incident);
}

/* One that lapsed on another relay meanwhile is still open for notices. */
static enum status grow_incident(const struct pending_hold *pending,
                                 struct ledger_document *incident)
{
    bool grown = record_merge(incident->record, pending->alone) &&
                 json_object_set_new(incident->record, "open", json_true()) == 0;
    return grown ? STATUS_OK : STATUS_NOMEM;
}

/* One attempt, when the hold is not there yet. */
static enum status write_pending(struct ledger *ledger,
                                 const struct pending_hold *pending, int64_t deadline_us)
{
    struct ledger_document open = {0}, incident = {0};
    struct ledger_document hold =
        ledger_new_document(COLLECTION_HOLDS, pending->id, json_incref(pending->hold));
    const struct ledger_document *const all[] = {&hold, &incident, &open};
    enum status status = ledger_read(ledger, COLLECTION_INCIDENTS, pending->incident,
                                     deadline_us, &incident);
    if (status == STATUS_OK && incident.record == NULL) {
        status = ledger_read_open(ledger, COLLECTION_INCIDENTS, pending->open_key,
                                  deadline_us, &open);
        if (status == STATUS_OK)
            status = make_incident(pending, &open, &incident);
    } else if (status == STATUS_OK) {
        status = grow_incident(pending, &incident);
    }
    if (status == STATUS_OK)
        status = ledger_write(ledger, all, 3, deadline_us);
    ledger_document_clear(&open);
    ledger_document_clear(&incident);
    ledger_document_clear(&hold);
    return status;
}

/* It may be there: the store wrote it down and its answer was lost, or it was restored
 * from the queue. */
static enum status record_pending(struct ledger *ledger,
                                  const struct pending_hold *pending, int64_t deadline_us)
{
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT) {
        struct ledger_document hold = {0};
        if (clock_left_ms(deadline_us) == 0)
            return STATUS_UNAVAILABLE;
        status =
            ledger_read_sound(ledger, COLLECTION_HOLDS, pending->id, deadline_us, &hold);
        ledger_document_clear(&hold);
        if (status == STATUS_NOT_FOUND)
            status = write_pending(ledger, pending, deadline_us);
    }
    return status;
}

/* Until one can't be recorded. LIMIT when there was no room for some; those are given
 * up. */
static enum status flush_pending(struct ledger *ledger, int64_t deadline_us)
{
    enum status result = STATUS_OK;
    struct pending_hold *pending;
    while ((pending = pending_holds_take(ledger->pending_holds)) != NULL) {
        enum status status = record_pending(ledger, pending, deadline_us);
        if (status == STATUS_OK)
            atomic_fetch_add(&ledger->late, 1);
        else
            result = status;
        /* LIMIT: there is no room for a record; the queue knows of the hold. */
        if (status != STATUS_OK && status != STATUS_LIMIT) {
            pending_holds_return(ledger->pending_holds, pending);
            return result;
        }
        pending_hold_free(pending);
    }
    return result;
}

/* ---- refused and deferred ---- */

/* One key's part on its way into the store. */
struct pending_stop {
    struct event event;
    struct stop stop;
    char open_key[PENDING_COUNTS_ID_SIZE];
    char incident[DIGEST_ID_SIZE];
};

static void make_stop(struct ledger *ledger, const struct pending_count *count, bool many,
                      struct pending_stop *out)
{
    *out = (struct pending_stop){
        .event = many ? pending_counts_many(&count->event) : count->event,
        .stop = {.event = &out->event,
                 .host = ledger->host,
                 .refused = count->refused,
                 .deferred = count->deferred,
                 .would = count->would,
                 .first_ms = count->first_ms},
    };
    pending_counts_format_id(&ledger->key, out->event.fingerprint, out->event.subject,
                             out->open_key);
}

static enum collection collection_of(const struct event *event)
{
    return event->would ? COLLECTION_WOULD : COLLECTION_INCIDENTS;
}

/* One attempt. LIMIT without room for one more incident that is open. */
static enum status try_write(struct ledger *ledger, struct pending_stop *pending,
                             size_t *room, int64_t deadline_us)
{
    struct ledger_document open = {0}, fresh = {0};
    const struct ledger_document *const documents[] = {&open, &fresh};
    enum status status = ledger_read_open(ledger, collection_of(&pending->event),
                                          pending->open_key, deadline_us, &open);
    if (status != STATUS_OK)
        return status;
    bool is_new = open.text == NULL;
    if (is_new && *room == 0 && strcmp(pending->event.subject, PENDING_COUNTS_MANY) != 0)
        status = STATUS_LIMIT;
    if (status == STATUS_OK)
        status = ledger_add_stop(&open, pending->open_key, &pending->stop, &fresh,
                                 pending->incident);
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
    struct pending_stop pending;
    enum status status = STATUS_CONFLICT;
    make_stop(ledger, count, false, &pending);
    while (status == STATUS_CONFLICT && clock_left_ms(deadline_us) > 0) {
        status = try_write(ledger, &pending, room, deadline_us);
        if (status == STATUS_LIMIT &&
            strcmp(pending.event.subject, PENDING_COUNTS_MANY) != 0) {
            make_stop(ledger, count, true, &pending);
            status = STATUS_CONFLICT;
        }
    }
    if (status == STATUS_OK) {
        pending_counts_learn(ledger->counts, count->open_key, count->event.would,
                             pending.incident);
        return STATUS_OK;
    }
    return status == STATUS_CONFLICT ? STATUS_UNAVAILABLE : status;
}

static size_t room_beside(size_t open)
{
    return open < OPEN_COUNTED_MAX ? OPEN_COUNTED_MAX - open : 0;
}

enum status ledger_flush(struct ledger *ledger, int64_t deadline_us)
{
    struct pending_count count;
    size_t position = 0;
    size_t open, would;
    enum status pending = flush_pending(ledger, deadline_us);
    if (pending == STATUS_UNAVAILABLE || !pending_counts_is_pending(ledger->counts))
        return pending;
    enum status result = ledger_count_entries(ledger, COLLECTION_INCIDENTS, TERMS_KEYS,
                                              NULL, deadline_us, &open);
    if (result == STATUS_OK)
        result = ledger_count_entries(ledger, COLLECTION_WOULD, TERMS_KEYS, NULL,
                                      deadline_us, &would);
    if (result != STATUS_OK)
        return result;
    size_t rooms[] = {room_beside(open), room_beside(would)};
    while (result != STATUS_UNAVAILABLE &&
           pending_counts_take(ledger->counts, &position, &count)) {
        enum status status =
            write_count(ledger, &count, &rooms[count.event.would], deadline_us);
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
    enum status status = ledger_count_entries(ledger, COLLECTION_HOLDS, TERMS_HELD, NULL,
                                              deadline_us, &held);
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
    parties_add(recount->ledger->parties, &party, strcmp(host, recount->host) != 0);
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
