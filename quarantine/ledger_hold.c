/* A message is about to be held: is there room, for it and for its party, and which
 * incident does it belong to? An incident and the hold that belongs to it change at one
 * instant, so its number of holds is exact. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/hold_header.h"
#include "quarantine/ledger_parts.h"

/* A flood need not ask for each message whether its incident is still full: it is, unless
 * an administrator decided about it just now. */
enum { FULL_TRUSTED_MS = 1000 };

/* Once an incident holds this many, and this part of max_per_incident, the queue is
 * looked at now and then: in a flood a look takes longer than a message may wait. */
enum { LOOK_AHEAD_MIN = 20, LOOK_AHEAD_PART = 10 };

/* To hold one message. */
struct attempt {
    struct ledger *ledger;
    const struct settings *settings;
    const struct event *event;
    struct stop stop;
    struct party party;
    struct party_caps caps;
    int64_t own; /* what of its party waits in the incident, when that is full of it */
    char open_key[PENDING_COUNTS_ID_SIZE];
    bool uncapped; /* no cap applies */
    bool away;     /* the store does not answer */
    int64_t deadline_us;
    struct hold *out;
};

static json_t *make_hold(const struct attempt *attempt)
{
    const struct hold *out = attempt->out;
    return record_new_hold(attempt->event, out->id, out->incident, attempt->ledger->host,
                           &attempt->party);
}

/* What the store says of the incident, kept for when it does not answer. */
static void learn(const struct attempt *attempt, int64_t waiting, int64_t own)
{
    const struct pending_holds_news news = {.incident = attempt->out->incident,
                                            .party = attempt->party.own,
                                            .waiting = waiting,
                                            .own = own,
                                            .now_ms = attempt->event->now_ms};
    pending_holds_learn(attempt->ledger->pending_holds, attempt->open_key, &news);
}

static enum hold_result result_of(enum party_fit fit)
{
    return fit == PARTY_FULL ? HOLD_INCIDENT_FULL : HOLD_CROWDED;
}

/* A login's own incident holds its own mail alone, also what sync found again. */
static int64_t count_own(const struct attempt *attempt, const json_t *incident)
{
    return strncmp(attempt->event->subject, "login:", 6) == 0
               ? record_waiting(incident)
               : record_party_waiting(incident, attempt->party.own);
}

/* So that there was a look when a flood fills the incident. */
static void look_ahead(const struct attempt *attempt, int64_t own)
{
    if (own >= LOOK_AHEAD_MIN && own >= attempt->caps.own / LOOK_AHEAD_PART)
        look_ask(attempt->ledger->look);
}

/* Writes the incident as it becomes, and the hold. CONFLICT: somebody was faster. */
static enum status write_hold(struct attempt *attempt, struct ledger_document *open)
{
    struct ledger_document fresh = {0}, hold = {0};
    const struct ledger_document *const documents[] = {open, &fresh, &hold};
    enum status status = ledger_add_stop(open, attempt->open_key, &attempt->stop, &fresh,
                                         attempt->out->incident);
    if (status == STATUS_OK) {
        hold =
            ledger_new_document(COLLECTION_HOLDS, attempt->out->id, make_hold(attempt));
        status = hold.record == NULL
                     ? STATUS_NOMEM
                     : ledger_write(attempt->ledger, documents, 3, attempt->deadline_us);
    }
    ledger_document_clear(&fresh);
    ledger_document_clear(&hold);
    return status;
}

/* One attempt; CONFLICT when somebody else was faster. */
static enum status try_hold(struct attempt *attempt)
{
    struct ledger_document open = {0};
    int64_t waiting = 0;
    int64_t own = 0;
    enum status status = ledger_read_open(attempt->ledger, COLLECTION_INCIDENTS,
                                          attempt->open_key, attempt->deadline_us, &open);
    if (status != STATUS_OK)
        return status;
    if (open.record != NULL && record_is_open(open.record, attempt->event->now_ms)) {
        waiting = record_waiting(open.record);
        own = count_own(attempt, open.record);
    }
    enum party_fit fit = party_fits(&attempt->caps, own, waiting);
    if (fit != PARTY_FITS && !attempt->uncapped) {
        (void)snprintf(attempt->out->incident, DIGEST_ID_SIZE, "%s",
                       record_text(open.record, "id"));
        attempt->out->result = result_of(fit);
        attempt->own = own;
        learn(attempt, waiting, own);
    } else {
        status = write_hold(attempt, &open);
        if (status == STATUS_OK) {
            attempt->out->result = HOLD_KEPT;
            learn(attempt, waiting + 1, own + 1);
            look_ahead(attempt, own + 1);
        }
    }
    ledger_document_clear(&open);
    return status;
}

static void give_back(struct attempt *attempt)
{
    ledger_subtract(attempt->ledger, 1);
    parties_give(attempt->ledger->parties, &attempt->party);
}

/* What one party may have of max_messages. */
static int64_t share_of(const struct settings *settings)
{
    int64_t share = settings->quarantine.max_messages / PARTIES_SHARE;
    return share > 0 ? share : 1;
}

/* Takes a place in the queue; false when there is none, and the result says why. */
static bool reserve(struct attempt *attempt)
{
    struct ledger *ledger = attempt->ledger;
    int64_t share = attempt->uncapped ? INT64_MAX : share_of(attempt->settings);
    size_t max =
        attempt->uncapped ? SIZE_MAX : (size_t)attempt->settings->quarantine.max_messages;
    attempt->out->result = HOLD_QUEUE_FULL;
    if (!attempt->uncapped && !atomic_load(&ledger->has_room))
        return false;
    size_t before = atomic_fetch_add(&ledger->added, 1);
    if (before + atomic_load(&ledger->held) >= max) {
        ledger_subtract(ledger, 1);
        return false;
    }
    if (parties_take(ledger->parties, &attempt->party, share))
        return true;
    attempt->out->result = HOLD_SHARE_FULL;
    ledger_subtract(ledger, 1);
    return false;
}

/* Of what is not held after all. */
static void count_stopped(struct attempt *attempt)
{
    char incident[DIGEST_ID_SIZE];
    struct hold *out = attempt->out;
    struct pending_counts *counts = attempt->ledger->counts;
    pending_counts_add(counts, attempt->event, out->result == HOLD_INCIDENT_FULL,
                       incident);
    if (out->incident[0] != '\0')
        pending_counts_learn(counts, attempt->open_key, false, out->incident);
    else
        (void)snprintf(out->incident, sizeof out->incident, "%s",
                       incident[0] == '\0' ? "-" : incident);
}

/* Whether this process saw the incident full of the same party just now. */
static bool was_full(struct attempt *attempt)
{
    if (!pending_counts_is_full(attempt->ledger->counts, attempt->open_key,
                                attempt->party.own, attempt->event->now_ms,
                                FULL_TRUSTED_MS, attempt->out->incident))
        return false;
    attempt->out->result = HOLD_INCIDENT_FULL;
    return true;
}

/* NULL without memory. */
static struct pending_hold *make_pending(const struct attempt *attempt)
{
    const struct hold *out = attempt->out;
    struct pending_hold *pending = calloc(1, sizeof *pending);
    if (pending == NULL)
        return NULL;
    memcpy(pending->open_key, attempt->open_key, sizeof pending->open_key);
    memcpy(pending->id, out->id, sizeof pending->id);
    memcpy(pending->incident, out->incident, sizeof pending->incident);
    pending->hold = make_hold(attempt);
    pending->alone = record_new_incident(out->incident, &attempt->stop);
    if (pending->hold != NULL && pending->alone != NULL)
        return pending;
    pending_hold_free(pending);
    return NULL;
}

/* The store does not answer. out->incident is what it may have written down all the same,
 * or "". What finds no room here, the queue remembers. */
static void hold_pending(struct attempt *attempt)
{
    struct ledger *ledger = attempt->ledger;
    struct hold *out = attempt->out;
    attempt->away = true;
    struct pending_holds_request request = {.open_key = attempt->open_key,
                                            .party = attempt->party.own,
                                            .caps = attempt->caps,
                                            .now_ms = attempt->event->now_ms};
    if (attempt->uncapped)
        request.caps.own = request.caps.crowd = INT64_MAX;
    enum party_fit fit =
        pending_holds_enter(ledger->pending_holds, &request, out->incident);
    if (fit != PARTY_FITS) {
        out->result = result_of(fit);
        return;
    }
    out->result = HOLD_UNRECORDED;
    struct pending_hold *pending = make_pending(attempt);
    if (pending != NULL)
        (void)pending_holds_add(ledger->pending_holds, pending);
    atomic_store(&ledger->unrecorded, true);
}

static bool is_held(const struct attempt *attempt)
{
    return attempt->out->result == HOLD_KEPT || attempt->out->result == HOLD_UNRECORDED;
}

/* Finds a place and records the hold, or says in the result what is full. */
static void hold(struct attempt *attempt)
{
    struct hold *out = attempt->out;
    enum status status = STATUS_CONFLICT;
    out->incident[0] = '\0';
    if (!reserve(attempt))
        return;
    while (status == STATUS_CONFLICT && clock_left_ms(attempt->deadline_us) > 0)
        status = try_hold(attempt);
    if (status == STATUS_LIMIT) { /* the collection is full: as good as the queue */
        out->result = HOLD_QUEUE_FULL;
        out->incident[0] = '\0';
    } else if (status != STATUS_OK) {
        hold_pending(attempt);
    }
    if (is_held(attempt))
        parties_settle(attempt->ledger->parties, &attempt->party);
    else
        give_back(attempt);
}

/* A part of the time that is left is for asking the store again. */
static int64_t look_until_us(const struct attempt *attempt)
{
    int64_t now_us = clock_monotonic_us();
    return now_us + (attempt->deadline_us - now_us) * 3 / 4;
}

/* The incident is full of its party only if the holds of other relays count. We can't
 * look at their queues, and what was removed there by hand counts until they notice: that
 * defers mail, and never refuses it. */
static bool is_full_by_others(const struct attempt *attempt)
{
    return attempt->out->result == HOLD_INCIDENT_FULL &&
           attempt->own - parties_elsewhere(attempt->ledger->parties, &attempt->party) <
               attempt->caps.own;
}

/* Something is full, as far as is known: what was removed from the queue by hand may
 * still be counted, and no mail is refused for that. True: it really is full. */
static bool look_again(struct attempt *attempt)
{
    bool anew;
    if (attempt->out->result == HOLD_QUEUE_FULL &&
        !atomic_load(&attempt->ledger->has_room))
        return true; /* the disk's room is measured each second, not counted */
    if (attempt->away)
        return true; /* counted by this process, since the store is away; without it the
                        queue can't be compared with anything */
    enum look_result looked =
        look_wait(attempt->ledger->look, look_until_us(attempt), &anew);
    if (anew)
        hold(attempt);
    if (is_held(attempt) || (looked != LOOK_UNKNOWN && !is_full_by_others(attempt)))
        return true;
    if (!attempt->event->local) {
        attempt->out->result = HOLD_FULL_PERHAPS;
        return false;
    }
    attempt->uncapped = true; /* it would stay in maildrop, which is no better */
    hold(attempt);
    return true;
}

void ledger_hold(struct ledger *ledger, const struct settings *settings,
                 const struct event *event, int64_t deadline_us, struct hold *out)
{
    struct attempt attempt = {.ledger = ledger,
                              .settings = settings,
                              .event = event,
                              .uncapped = event->recalled,
                              .deadline_us = deadline_us,
                              .out = out};
    *out = (struct hold){.result = HOLD_QUEUE_FULL};
    digest_random_id(out->id);
    party_make(&ledger->key, event->identity, event->client == NULL ? "" : event->client,
               event->proven, &attempt.party);
    attempt.stop = (struct stop){.event = event,
                                 .party = attempt.party.own,
                                 .host = ledger->host,
                                 .held = 1,
                                 .first_ms = event->now_ms};
    attempt.caps = (struct party_caps){.own = settings->quarantine.max_per_incident,
                                       .crowd = settings->quarantine.max_per_incident +
                                                share_of(settings),
                                       .proven = event->proven};
    if (event->tell && !event->recalled)
        hold_header_sign(&ledger->key, out->id, event->identity, event->sender,
                         out->tell);
    pending_counts_format_id(&ledger->key, event->fingerprint, event->subject,
                             attempt.open_key);
    if (was_full(&attempt)) {
        count_stopped(&attempt);
        return;
    }
    hold(&attempt);
    if (is_held(&attempt) && event->confirm)
        atomic_store(&ledger->asks, true);
    bool sure = is_held(&attempt) || event->recalled || look_again(&attempt);
    if (is_held(&attempt) || event->recalled)
        return;
    count_stopped(&attempt);
    if (sure && out->result == HOLD_INCIDENT_FULL)
        pending_counts_note_full(ledger->counts, attempt.open_key, attempt.party.own,
                                 event->now_ms);
}
