/* Stopping mail, written down. Nothing is locked while the store is asked: what was read
 * is a check of the change, and who comes second reads anew. An incident and the hold
 * that belongs to it change at one instant, so its number of holds is exact. */
#include "quarantine/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/hold_header.h"
#include "quarantine/ledger_parts.h"

/* Of refused and deferred mail; past them a key's part goes to its rule's
 * PENDING_COUNTS_MANY, so that senders that nobody has seen before can't fill the store.
 */
enum { OPEN_COUNTED_MAX = 2000 };

/* A flood need not ask for each message whether its incident is full still: it is, unless
 * an administrator decided about it just now. */
enum { FULL_TRUSTED_MS = 1000 };

/* From so many of an incident, and this part of max_per_incident, somebody looks at the
 * queue now and then: in a flood a look takes longer than a message may wait. */
enum { LOOK_AHEAD_MIN = 20, LOOK_AHEAD_PART = 10 };

struct ledger *ledger_new(struct store *store, const struct digest_key *key,
                          const char *host)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL)
        return NULL;
    ledger->counts = pending_counts_new(key);
    ledger->pending_holds = pending_holds_new();
    ledger->parties = parties_new();
    ledger->look = look_new();
    if (ledger->counts == NULL || ledger->pending_holds == NULL ||
        ledger->parties == NULL || ledger->look == NULL) {
        ledger_free(ledger);
        return NULL;
    }
    ledger->store = store;
    ledger->key = *key;
    (void)snprintf(ledger->host, sizeof ledger->host, "%s", host);
    atomic_init(&ledger->has_room, true);
    atomic_init(&ledger->held, 0);
    atomic_init(&ledger->added, 0);
    atomic_init(&ledger->unrecorded, false);
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    pending_counts_free(ledger->counts);
    pending_holds_free(ledger->pending_holds);
    parties_free(ledger->parties);
    look_free(ledger->look);
    free(ledger);
}

struct look *ledger_look(struct ledger *ledger)
{
    return ledger->look;
}

void ledger_entries_clear(struct ledger_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->owned[i]);
    *entries = (struct ledger_entries){0};
}

enum status ledger_entries_add(struct ledger_entries *entries, enum collection collection,
                               const char *id, const char *expected, const json_t *record)
{
    char *value = record == NULL ? NULL : record_dump(record);
    if (value == NULL)
        return STATUS_NOMEM;
    entries->owned[entries->count] = value;
    entries->changes[entries->count++] = (struct change){.collection = collection,
                                                         .id = id,
                                                         .check = true,
                                                         .expected = expected,
                                                         .value = value};
    return STATUS_OK;
}

/* Whatever stands there under that id is of the same incident. */
enum status ledger_entries_close(struct ledger_entries *entries,
                                 const struct ledger_document *open)
{
    if (open->record == NULL || record_text(open->record, "id")[0] == '\0')
        return STATUS_OK;
    if (json_object_set_new(open->record, "open", json_false()) != 0)
        return STATUS_NOMEM;
    enum status status =
        ledger_entries_add(entries, COLLECTION_INCIDENTS, record_text(open->record, "id"),
                           NULL, open->record);
    if (status == STATUS_OK)
        entries->changes[entries->count - 1].check = false;
    return status;
}

/* The change that adds stop to the incident that open holds, or to a new one. */
static enum status add_stop(struct ledger_entries *entries, struct ledger_document *open,
                            const struct stop *stop, char incident[DIGEST_ID_SIZE])
{
    enum status status;
    if (open->record != NULL && record_is_open(open->record, stop->first_ms)) {
        (void)snprintf(incident, DIGEST_ID_SIZE, "%s", record_text(open->record, "id"));
        if (!record_grow(open->record, stop))
            return STATUS_NOMEM;
        return ledger_entries_add(entries, COLLECTION_OPEN, open->id, open->text,
                                  open->record);
    }
    digest_random_id(incident);
    json_t *fresh = record_new_incident(incident, stop);
    status = ledger_entries_add(entries, COLLECTION_OPEN, open->id, open->text, fresh);
    json_decref(fresh);
    return status == STATUS_OK ? ledger_entries_close(entries, open) : status;
}

/* ---- holding ---- */

struct holding {
    struct ledger *ledger;
    const struct settings *settings;
    const struct event *event;
    struct stop stop;
    struct party party;
    struct party_caps caps;
    int64_t own; /* what of its party waits in the incident, when that is full of it */
    char open_id[PENDING_COUNTS_ID_SIZE];
    bool whatever; /* no cap applies */
    bool late;     /* the store does not answer */
    int64_t deadline_us;
    struct hold *out;
};

static size_t at_most(size_t count, size_t max)
{
    return count < max ? count : max;
}

static struct stop make_stop(const struct event *event, const char *party,
                             const char *host)
{
    return (struct stop){.rule = event->rule,
                         .fingerprint = event->fingerprint,
                         .subject = event->subject,
                         .identity = event->identity,
                         .sender = event->sender,
                         .client = event->client,
                         .party = party,
                         .host = host,
                         .limit = event->limit,
                         .before = event->before,
                         .tell = event->tell,
                         .login = strncmp(event->identity, "login:", 6) == 0,
                         .lists = event->lists,
                         .addressed = event->addressed,
                         .lists_named = at_most(event->list_count, EVENT_LISTS_MAX),
                         .list_count = event->list_count,
                         .addressed_named =
                             at_most(event->addressed_count, EVENT_ADDRESSED_MAX),
                         .addressed_count = event->addressed_count,
                         .held = 1,
                         .reach = event->reach,
                         .copies = event->copies,
                         .first_ms = event->now_ms,
                         .last_ms = event->now_ms};
}

static json_t *make_hold(const struct holding *holding)
{
    const struct event *event = holding->event;
    const struct record_hold hold = {
        .id = holding->out->id,
        .incident = holding->out->incident,
        .rule = event->rule,
        .identity = event->identity,
        .sender = event->sender,
        .client = event->client,
        .party = &holding->party,
        .host = holding->ledger->host,
        .queue_id = event->queue_id,
        .open_id = holding->open_id,
        .lists = event->lists,
        .addressed = event->addressed,
        .lists_named = at_most(event->list_count, EVENT_LISTS_MAX),
        .list_count = event->list_count,
        .addressed_named = at_most(event->addressed_count, EVENT_ADDRESSED_MAX),
        .addressed_count = event->addressed_count,
        .charges = event->charges,
        .charge_count = event->charge_count,
        .reach = event->reach,
        .held_ms = event->now_ms,
        .tell = event->tell,
        .recalled = event->recalled,
        .arrived_s = event->arrived_s,
    };
    return record_new_hold(&hold);
}

/* What the store says of the incident, kept for when it does not answer. */
static void learn(const struct holding *holding, int64_t waiting, int64_t own)
{
    const struct pending_holds_news news = {.incident = holding->out->incident,
                                            .party = holding->party.own,
                                            .waiting = waiting,
                                            .own = own,
                                            .now_ms = holding->event->now_ms};
    pending_holds_learn(holding->ledger->pending_holds, holding->open_id, &news);
}

static enum hold_result result_of(enum party_fit fit)
{
    return fit == PARTY_FULL ? HOLD_INCIDENT_FULL : HOLD_CROWDED;
}

/* A login's own incident holds its own mail alone, also what sync found again. */
static int64_t count_own(const struct holding *holding, const json_t *incident)
{
    return strncmp(holding->event->subject, "login:", 6) == 0
               ? record_waiting(incident)
               : record_party_waiting(incident, holding->party.own);
}

/* So that a flood that fills an incident finds that somebody has looked. */
static void look_ahead(const struct holding *holding, int64_t own)
{
    if (own >= LOOK_AHEAD_MIN && own >= holding->caps.own / LOOK_AHEAD_PART)
        look_ask(holding->ledger->look);
}

/* Writes the incident as it becomes, and the hold. CONFLICT: somebody was faster. */
static enum status write_hold(struct holding *holding, struct ledger_document *open)
{
    struct ledger_entries entries = {0};
    enum status status = add_stop(&entries, open, &holding->stop, holding->out->incident);
    if (status == STATUS_OK) {
        json_t *hold = make_hold(holding);
        status =
            ledger_entries_add(&entries, COLLECTION_HOLDS, holding->out->id, NULL, hold);
        json_decref(hold);
    }
    if (status == STATUS_OK)
        status = store_change(holding->ledger->store, entries.changes, entries.count,
                              holding->deadline_us);
    ledger_entries_clear(&entries);
    return status;
}

/* One attempt; CONFLICT when somebody else was faster. */
static enum status try_hold(struct holding *holding)
{
    struct ledger_document open = {0};
    int64_t waiting = 0;
    int64_t own = 0;
    enum status status = ledger_read(holding->ledger, COLLECTION_OPEN, holding->open_id,
                                     holding->deadline_us, &open);
    if (status != STATUS_OK)
        return status;
    if (open.record != NULL && record_is_open(open.record, holding->event->now_ms)) {
        waiting = record_waiting(open.record);
        own = count_own(holding, open.record);
    }
    enum party_fit fit = party_fits(&holding->caps, own, waiting);
    if (fit != PARTY_FITS && !holding->whatever) {
        (void)snprintf(holding->out->incident, DIGEST_ID_SIZE, "%s",
                       record_text(open.record, "id"));
        holding->out->result = result_of(fit);
        holding->own = own;
        learn(holding, waiting, own);
    } else {
        status = write_hold(holding, &open);
        if (status == STATUS_OK) {
            holding->out->result = HOLD_KEPT;
            learn(holding, waiting + 1, own + 1);
            look_ahead(holding, own + 1);
        }
    }
    ledger_document_clear(&open);
    return status;
}

/* Never below 0: a measurement may have taken the same places back. */
static void subtract(struct ledger *ledger, size_t count)
{
    size_t added = atomic_load(&ledger->added);
    while (!atomic_compare_exchange_weak(&ledger->added, &added,
                                         added > count ? added - count : 0))
        ;
}

static void give_back(struct holding *holding)
{
    subtract(holding->ledger, 1);
    parties_give(holding->ledger->parties, &holding->party);
}

/* What one party may have of max_messages. */
static int64_t share_of(const struct settings *settings)
{
    int64_t share = settings->quarantine.max_messages / PARTIES_SHARE;
    return share > 0 ? share : 1;
}

/* Takes a place in the queue; false when there is none, and the result says why. */
static bool reserve(struct holding *holding)
{
    struct ledger *ledger = holding->ledger;
    int64_t share = holding->whatever ? INT64_MAX : share_of(holding->settings);
    size_t max =
        holding->whatever ? SIZE_MAX : (size_t)holding->settings->quarantine.max_messages;
    holding->out->result = HOLD_QUEUE_FULL;
    if (!holding->whatever && !atomic_load(&ledger->has_room))
        return false;
    size_t before = atomic_fetch_add(&ledger->added, 1);
    if (before + atomic_load(&ledger->held) >= max) {
        subtract(ledger, 1);
        return false;
    }
    if (parties_take(ledger->parties, &holding->party, share))
        return true;
    holding->out->result = HOLD_SHARE_FULL;
    subtract(ledger, 1);
    return false;
}

/* Of what is not held after all. */
static void count_stopped(struct holding *holding)
{
    char incident[DIGEST_ID_SIZE];
    struct hold *out = holding->out;
    struct pending_counts *counts = holding->ledger->counts;
    pending_counts_add(counts, holding->event, out->result == HOLD_INCIDENT_FULL,
                       incident);
    if (out->incident[0] != '\0')
        pending_counts_learn(counts, holding->open_id, out->incident);
    else
        (void)snprintf(out->incident, sizeof out->incident, "%s",
                       incident[0] == '\0' ? "-" : incident);
}

/* Whether this process saw the incident full of the same party just now. */
static bool was_full(struct holding *holding)
{
    if (!pending_counts_is_full(holding->ledger->counts, holding->open_id,
                                holding->party.own, holding->event->now_ms,
                                FULL_TRUSTED_MS, holding->out->incident))
        return false;
    holding->out->result = HOLD_INCIDENT_FULL;
    return true;
}

/* NULL without memory. */
static struct pending_hold *make_pending(const struct holding *holding)
{
    const struct hold *out = holding->out;
    struct pending_hold *pending = calloc(1, sizeof *pending);
    if (pending == NULL)
        return NULL;
    memcpy(pending->open_id, holding->open_id, sizeof pending->open_id);
    memcpy(pending->id, out->id, sizeof pending->id);
    memcpy(pending->incident, out->incident, sizeof pending->incident);
    pending->hold = make_hold(holding);
    pending->alone = record_new_incident(out->incident, &holding->stop);
    if (pending->hold != NULL && pending->alone != NULL)
        return pending;
    pending_hold_free(pending);
    return NULL;
}

/* The store does not answer. out->incident is what it may have written down all the same,
 * or "". What finds no room here, the queue remembers. */
static void hold_pending(struct holding *holding)
{
    struct ledger *ledger = holding->ledger;
    struct hold *out = holding->out;
    holding->late = true;
    struct pending_holds_request request = {.open_id = holding->open_id,
                                            .party = holding->party.own,
                                            .caps = holding->caps,
                                            .now_ms = holding->event->now_ms};
    if (holding->whatever)
        request.caps.own = request.caps.crowd = INT64_MAX;
    enum party_fit fit =
        pending_holds_enter(ledger->pending_holds, &request, out->incident);
    if (fit != PARTY_FITS) {
        out->result = result_of(fit);
        return;
    }
    out->result = HOLD_UNRECORDED;
    struct pending_hold *pending = make_pending(holding);
    if (pending != NULL)
        (void)pending_holds_add(ledger->pending_holds, pending);
    atomic_store(&ledger->unrecorded, true);
}

static bool is_held(const struct holding *holding)
{
    return holding->out->result == HOLD_KEPT || holding->out->result == HOLD_UNRECORDED;
}

/* Finds a place and records the hold, or says in the result what is full. */
static void hold(struct holding *holding)
{
    struct hold *out = holding->out;
    enum status status = STATUS_CONFLICT;
    out->incident[0] = '\0';
    if (!reserve(holding))
        return;
    while (status == STATUS_CONFLICT && clock_left_ms(holding->deadline_us) > 0)
        status = try_hold(holding);
    if (status == STATUS_LIMIT) { /* the collection is full: as good as the queue */
        out->result = HOLD_QUEUE_FULL;
        out->incident[0] = '\0';
    } else if (status != STATUS_OK) {
        hold_pending(holding);
    }
    if (is_held(holding))
        parties_settle(holding->ledger->parties, &holding->party);
    else
        give_back(holding);
}

/* A part of the time that is left is for asking the store again. */
static int64_t look_until_us(const struct holding *holding)
{
    int64_t now_us = clock_monotonic_us();
    return now_us + (holding->deadline_us - now_us) * 3 / 4;
}

/* The incident is full of its party only with what other relays have of it. Their queues
 * can't be looked at from here, and what was removed there by hand counts until they find
 * out: that puts mail off, and never refuses it. */
static bool is_full_by_others(const struct holding *holding)
{
    return holding->out->result == HOLD_INCIDENT_FULL &&
           holding->own - parties_elsewhere(holding->ledger->parties, &holding->party) <
               holding->caps.own;
}

/* Something is full, as far as is known: what was removed from the queue by hand may be
 * counted still, and nobody's mail is refused for that. True: it is full indeed. */
static bool look_again(struct holding *holding)
{
    bool anew;
    if (holding->out->result == HOLD_QUEUE_FULL &&
        !atomic_load(&holding->ledger->has_room))
        return true; /* the disk's room is measured each second, not counted */
    if (holding->late)
        return true; /* counted by this process, since the store is away; without it the
                        queue has nothing to be held against */
    enum look_result looked =
        look_wait(holding->ledger->look, look_until_us(holding), &anew);
    if (anew)
        hold(holding);
    if (is_held(holding) || (looked != LOOK_UNKNOWN && !is_full_by_others(holding)))
        return true;
    if (!holding->event->local) {
        holding->out->result = HOLD_FULL_PERHAPS;
        return false;
    }
    holding->whatever = true; /* it would stay in maildrop, which is no better */
    hold(holding);
    return true;
}

void ledger_hold(struct ledger *ledger, const struct settings *settings,
                 const struct event *event, int64_t deadline_us, struct hold *out)
{
    struct holding holding = {.ledger = ledger,
                              .settings = settings,
                              .event = event,
                              .whatever = event->recalled,
                              .deadline_us = deadline_us,
                              .out = out};
    *out = (struct hold){.result = HOLD_QUEUE_FULL};
    digest_random_id(out->id);
    party_make(&ledger->key, event->identity, event->client == NULL ? "" : event->client,
               event->proven, &holding.party);
    holding.stop = make_stop(event, holding.party.own, ledger->host);
    holding.caps = (struct party_caps){.own = settings->quarantine.max_per_incident,
                                       .crowd = settings->quarantine.max_per_incident +
                                                share_of(settings),
                                       .proven = event->proven};
    if (event->tell && !event->recalled)
        hold_header_sign(&ledger->key, out->id, event->identity, event->sender,
                         out->tell);
    pending_counts_format_id(&ledger->key, event->fingerprint, event->subject,
                             holding.open_id);
    if (was_full(&holding)) {
        count_stopped(&holding);
        return;
    }
    hold(&holding);
    bool sure = is_held(&holding) || event->recalled || look_again(&holding);
    if (is_held(&holding) || event->recalled)
        return;
    count_stopped(&holding);
    if (sure && out->result == HOLD_INCIDENT_FULL)
        pending_counts_note_full(ledger->counts, holding.open_id, holding.party.own,
                                 event->now_ms);
}

bool ledger_take_unrecorded(struct ledger *ledger)
{
    return atomic_exchange(&ledger->unrecorded, false);
}

/* ---- counting ---- */

void ledger_count(struct ledger *ledger, const struct event *event,
                  char out_incident[DIGEST_ID_SIZE])
{
    pending_counts_add(ledger->counts, event, event->action != ACTION_DEFER,
                       out_incident);
}

/* One key's part on its way into the store. */
struct entry {
    struct stop stop;
    char open_id[PENDING_COUNTS_ID_SIZE];
    char incident[DIGEST_ID_SIZE];
};

static void make_entry(struct ledger *ledger, const struct pending_count *count,
                       bool many, struct entry *out)
{
    *out =
        (struct entry){.stop = {.rule = count->rule,
                                .fingerprint = count->fingerprint,
                                .subject = many ? PENDING_COUNTS_MANY : count->subject,
                                .identity = many ? PENDING_COUNTS_MANY : count->identity,
                                .sender = "",
                                .host = ledger->host,
                                .limit = count->limit,
                                .before = count->before,
                                .lists = (const char *const *)count->lists,
                                .lists_named = many ? 0 : count->lists_named,
                                .list_count = many ? 0 : count->list_count,
                                .addressed = (const char *const *)count->addressed,
                                .addressed_named = many ? 0 : count->addressed_named,
                                .addressed_count = many ? 0 : count->addressed_count,
                                .refused = count->refused,
                                .deferred = count->deferred,
                                .reach = count->reach,
                                .copies = count->copies,
                                .first_ms = count->first_ms,
                                .last_ms = count->last_ms}};
    pending_counts_format_id(&ledger->key, count->fingerprint, out->stop.subject,
                             out->open_id);
}

/* One attempt. LIMIT without room for one more incident that is open. */
static enum status try_entry(struct ledger *ledger, struct entry *entry, size_t *room,
                             int64_t deadline_us)
{
    struct ledger_document open = {0};
    struct ledger_entries entries = {0};
    enum status status =
        ledger_read(ledger, COLLECTION_OPEN, entry->open_id, deadline_us, &open);
    if (status != STATUS_OK)
        return status;
    bool fresh = open.text == NULL;
    if (fresh && *room == 0 && strcmp(entry->stop.subject, PENDING_COUNTS_MANY) != 0)
        status = STATUS_LIMIT;
    if (status == STATUS_OK)
        status = add_stop(&entries, &open, &entry->stop, entry->incident);
    if (status == STATUS_OK)
        status = store_change(ledger->store, entries.changes, entries.count, deadline_us);
    if (status == STATUS_OK && fresh && *room > 0)
        --*room;
    ledger_entries_clear(&entries);
    ledger_document_clear(&open);
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
            strcmp(entry.stop.subject, PENDING_COUNTS_MANY) != 0) {
            make_entry(ledger, count, true, &entry);
            status = STATUS_CONFLICT;
        }
    }
    if (status == STATUS_OK) {
        pending_counts_learn(ledger->counts, count->open_id, entry.incident);
        return STATUS_OK;
    }
    return status == STATUS_CONFLICT ? STATUS_UNAVAILABLE : status;
}

enum status ledger_flush(struct ledger *ledger, int64_t deadline_us)
{
    struct pending_count count;
    size_t position = 0;
    size_t open;
    enum status late = ledger_flush_pending(ledger, deadline_us);
    if (late == STATUS_UNAVAILABLE || !pending_counts_is_pending(ledger->counts))
        return late;
    enum status result = store_count(ledger->store, COLLECTION_OPEN, deadline_us, &open);
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
    return result == STATUS_OK ? late : result;
}

static enum status count_holds(struct ledger *ledger, int64_t deadline_us)
{
    size_t held;
    size_t added = atomic_load(&ledger->added);
    enum status status = store_count(ledger->store, COLLECTION_HOLDS, deadline_us, &held);
    if (status != STATUS_OK)
        return status;
    atomic_store(&ledger->held, held);
    subtract(ledger, added);
    return STATUS_OK;
}

/* Holds that are entered while it counts are in both numbers for a second. */
enum status ledger_measure(struct ledger *ledger, bool has_room, int64_t deadline_us)
{
    atomic_store(&ledger->has_room, has_room);
    return count_holds(ledger, deadline_us);
}

static enum status count_party(void *context, const char *id, const char *value)
{
    struct party party;
    const struct ledger *ledger = context;
    json_t *hold = record_load(value);
    (void)id;
    record_party(hold, &party);
    parties_add(ledger->parties, &party);
    if (strcmp(record_text(hold, "host"), ledger->host) != 0)
        parties_add_elsewhere(ledger->parties, &party);
    json_decref(hold);
    return STATUS_OK;
}

enum status ledger_recount(struct ledger *ledger, int64_t deadline_us)
{
    parties_begin(ledger->parties);
    enum status status =
        store_list(ledger->store, COLLECTION_HOLDS, deadline_us, count_party, ledger);
    if (status == STATUS_OK)
        parties_end(ledger->parties);
    return status == STATUS_OK ? count_holds(ledger, deadline_us) : status;
}
