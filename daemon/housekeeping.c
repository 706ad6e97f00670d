/* The quick thread makes only store calls. The slow one also waits for the helper, and
 * the notices' thread for notify.command. Each takes the current snapshot for every
 * round. */
#include "daemon/housekeeping.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/patience.h"
#include "base/worker.h"
#include "daemon/peers.h"
#include "daemon/room.h"
#include "engine/traffic.h"
#include "engine/weekly.h"
#include "quarantine/actions_release.h"
#include "quarantine/ledger_list.h"
#include "quarantine/look.h"
#include "quarantine/notices/notices.h"
#include "quarantine/permits.h"
#include "quarantine/record.h"

enum {
    STORE_MS = 1000,
    PRUNE_MS = 20000,
    TICKS_PER_SECOND = 1000 / HOUSEKEEPING_TICK_MS,
    RECOUNT_SECONDS = 10,
    NOTICES_SECONDS = 5,
    ASKING_MS = 100, /* a letter that can be answered waits no longer */
    SYNC_SECONDS = 5,
    TIDY_SECONDS = 15 * 60,
    HOUR_SECONDS = 2,
    PRUNE_SECONDS = 60,
    TRAFFIC_PRUNE_SECONDS = 60 * 60,
    EXPIRE_MS = 30000,
    AUDIENCES_MS = 20000,
    ROOM_MS = 5000,
};

struct housekeeping {
    struct engine *engine;
    struct actions *actions;
    const char *host;
    struct reload *reload;
    bool alone; /* no other relay can use the store */
    struct peers peers;
    struct room room;
    enum status room_state; /* result of the last room_ask */
};

static int64_t store_deadline_us(void)
{
    return clock_deadline_us(STORE_MS);
}

void housekeeping_brakes(struct engine *engine)
{
    struct snapshot *snapshot = current_snapshot_get(&engine->snapshots);
    /* The store reports its own absence; the last known brakes stay in force. */
    enum status status =
        active_brakes_refresh(engine->active_brakes, &snapshot->settings->policy.domains,
                              clock_wall_ms(), store_deadline_us());
    if (status == STATUS_NOMEM)
        log_throttled(SEVERITY_ERROR, "out of memory for the brakes");
    snapshot_unref(snapshot);
}

void housekeeping_flush(struct engine *engine)
{
    enum status status = ledger_flush(engine->ledger, store_deadline_us());
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        log_throttled(SEVERITY_WARNING,
                      "the counts of stopped mail could not be written to the store");
}

/* whose: also whose the holds are, which takes a look at each. */
static void measure(struct housekeeping *housekeeping, bool whose)
{
    struct engine *engine = housekeeping->engine;
    struct snapshot *snapshot = current_snapshot_get(&engine->snapshots);
    bool has_room =
        room_is_left(&housekeeping->room, snapshot->settings->quarantine.min_free_bytes);
    snapshot_unref(snapshot);
    if (!has_room)
        log_throttled(SEVERITY_ERROR,
                      "the queue's disk has less than quarantine.min_free left: mail is "
                      "deferred instead of held");
    enum status status = ledger_measure(engine->ledger, has_room, store_deadline_us());
    if (status == STATUS_OK && whose)
        status = ledger_recount(engine->ledger, store_deadline_us());
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        log_throttled(SEVERITY_WARNING, "the held messages could not be counted");
}

static void claim_name(struct housekeeping *housekeeping)
{
    if (!housekeeping->alone)
        actions_set_names(
            housekeeping->actions,
            peers_claim(&housekeeping->peers, housekeeping->engine, clock_wall_ms()));
}

static void *run_quick(void *argument)
{
    struct housekeeping *housekeeping = argument;
    struct engine *engine = housekeeping->engine;
    for (unsigned tick = 0;; tick++) {
        (void)!store_poll(engine->store, store_deadline_us()); /* the store reports */
        housekeeping_brakes(engine);
        if (tick % (PEERS_CLAIM_SECONDS * TICKS_PER_SECOND) == 0)
            claim_name(housekeeping);
        if (tick % TICKS_PER_SECOND == 0) {
            housekeeping_flush(engine);
            measure(housekeeping, tick % (RECOUNT_SECONDS * TICKS_PER_SECOND) == 0);
        }
        clock_sleep_ms(HOUSEKEEPING_TICK_MS);
    }
    return NULL;
}

static void send_notices(struct notices *notices, const struct settings *settings)
{
    struct error error = {0};
    enum status status = notices_send(notices, settings, clock_wall_ms(), &error);
    if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "notices: %s", error.text);
}

static void tell_expired(const char *id)
{
    log_print(SEVERITY_INFO, "hold %s expired and was refused", id);
}

/* Refuses holds that nobody decided within quarantine.expire. Failures are retried a
 * minute later. */
static enum status expire(const struct housekeeping *housekeeping,
                          const struct settings *settings)
{
    struct error error = {0};
    size_t left = 0;
    enum status status =
        actions_expire(housekeeping->actions, settings, clock_deadline_us(EXPIRE_MS),
                       tell_expired, &left, &error);
    if (status == STATUS_LIMIT)
        log_throttled(SEVERITY_WARNING, "expired holds: %s", error.text);
    else if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "expired holds were not refused: %s", error.text);
    else if (left > 0)
        log_throttled(SEVERITY_WARNING, "%zu expired %s not refused: %s", left,
                      left == 1 ? "hold was" : "holds were", error.text);
    return left > 0 ? STATUS_UNAVAILABLE : status;
}

static void prune(struct engine *engine, const struct settings *settings)
{
    size_t done = 0;
    enum status status =
        ledger_prune(engine->ledger, clock_wall_ms(), settings->privacy.retention_ms,
                     clock_deadline_us(PRUNE_MS), &done);
    if (status == STATUS_LIMIT)
        log_throttled(SEVERITY_WARNING,
                      "%zu old records were removed in %d s, not all; the next pass goes "
                      "on from there",
                      done, PRUNE_MS / 1000);
    else if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        log_throttled(SEVERITY_WARNING, "old records could not be removed");
    status = permits_prune(engine->store, clock_wall_ms(), settings->privacy.retention_ms,
                           clock_deadline_us(PRUNE_MS));
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        log_throttled(SEVERITY_WARNING, "permits that ended could not be removed");
}

/* What older versions wrote. True when nothing of it is left. */
static bool convert(struct engine *engine)
{
    enum status status = ledger_convert(engine->ledger, clock_deadline_us(PRUNE_MS));
    if (status == STATUS_LIMIT)
        log_throttled(SEVERITY_WARNING,
                      "the records of an older version were not all converted in %d s; "
                      "the next pass goes on from there",
                      PRUNE_MS / 1000);
    else if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        log_throttled(SEVERITY_WARNING,
                      "the records of an older version could not be converted");
    return status == STATUS_OK;
}

/* Records are compared with the queue at the start, and after holds that could not be
 * recorded; while the helper or the store is away, again and again, but a failure is
 * logged once. Now and then, and once it is known that they are this relay's, records end
 * whose message never reached the queue, or left it without us. */
struct sync {
    bool due, reported;
    bool kept;      /* records that may have been another relay's */
    bool converted; /* no older records wait: else they would be taken for lost */
};

static bool is_tidying_due(const struct housekeeping *housekeeping,
                           const struct sync *sync, unsigned second)
{
    return second % TIDY_SECONDS == TIDY_SECONDS - SYNC_SECONDS ||
           (sync->kept && actions_names(housekeeping->actions) == ACTIONS_NAMES_OWN);
}

static void tell_sync(const struct actions_sync *found)
{
    if (found->restored > 0)
        log_print(SEVERITY_INFO, "quarantine: %zu held %s back", found->restored,
                  found->restored == 1 ? "message got its record"
                                       : "messages got their record");
    if (found->ended > 0)
        log_print(SEVERITY_INFO, "quarantine: %zu %s gone", found->ended,
                  found->ended == 1 ? "record ended because its message is"
                                    : "records ended because their message is");
}

static enum status synchronise(const struct housekeeping *housekeeping,
                               const struct settings *settings, struct sync *sync,
                               unsigned second)
{
    struct error error = {0};
    struct actions_sync found;
    enum status status;
    if (ledger_take_unrecorded(housekeeping->engine->ledger))
        sync->due = true;
    if (!sync->converted)
        sync->converted = convert(housekeeping->engine);
    if (!sync->converted)
        return STATUS_OK;
    if (sync->due)
        status = actions_sync(housekeeping->actions, settings, NULL, &found, &error);
    else if (is_tidying_due(housekeeping, sync, second))
        status = actions_tidy(housekeeping->actions, settings, &found, &error);
    else
        return STATUS_OK;
    if (status == STATUS_OK) {
        tell_sync(&found);
        sync->kept = found.kept > 0;
        sync->due = sync->reported = false;
        actions_sync_clear(&found);
    } else if (!sync->reported) {
        log_print(SEVERITY_WARNING, "the records were not compared with the queue: %s",
                  error.text);
        sync->reported = true;
    }
    return status;
}

/* Until it is known where the queue is, and now and then, since that may change. What
 * can't be told is logged once; that the helper does not answer is what synchronise says.
 */
static enum status ask_for_room(struct housekeeping *housekeeping,
                                const struct settings *settings, unsigned second)
{
    struct error error = {0};
    if (housekeeping->room_state == STATUS_OK && second % TIDY_SECONDS != 0)
        return STATUS_OK;
    enum status status =
        room_ask(&housekeeping->room, settings->mta.helper, ROOM_MS, &error);
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE &&
        status != housekeeping->room_state)
        log_print(SEVERITY_WARNING, "%s: quarantine.min_free can't be checked",
                  error.text);
    housekeeping->room_state = status;
    return status;
}

/* Soon after a message was held: later its lists may be others. */
static enum status note_audiences(const struct housekeeping *housekeeping,
                                  const struct snapshot *snapshot,
                                  struct actions_noted *noted)
{
    enum status status = actions_note_audiences(housekeeping->actions, snapshot, noted,
                                                clock_deadline_us(AUDIENCES_MS));
    if (status == STATUS_NOMEM)
        log_throttled(SEVERITY_ERROR, "out of memory for whom held mail would reach");
    return status;
}

/* Each minute; days end rarely, and to find them all are read. The store itself reports
 * that it is away. */
static void keep_traffic(const struct engine *engine, const struct settings *settings,
                         unsigned second)
{
    int64_t before_ms = clock_wall_ms() - settings->privacy.retention_ms;
    bool hashed = settings->privacy.addresses == PRIVACY_HASHED;
    enum status status = traffic_flush(engine->traffic, engine->store,
                                       hashed ? &engine->key : NULL, store_deadline_us());
    if (status == STATUS_OK && second % TRAFFIC_PRUNE_SECONDS == PRUNE_SECONDS - 1)
        (void)!traffic_prune(engine->store, before_ms, store_deadline_us());
}

/* What waits for the helper, in turn. Once it hangs, the rest of the round is left out,
 * and so are the rounds of the next minute. */
struct helper_jobs {
    struct sync sync;
    struct actions_noted noted;
    struct patience patience;
};

static void ask_helper(struct housekeeping *housekeeping, const struct snapshot *snapshot,
                       struct helper_jobs *jobs, unsigned second)
{
    const struct settings *settings = snapshot->settings;
    for (int job = 0; job < 4 && patience_is_left(&jobs->patience); job++) {
        int64_t began_us = clock_monotonic_us();
        enum status status = STATUS_OK;
        if (job == 0 && second % SYNC_SECONDS == 0)
            status = ask_for_room(housekeeping, settings, second);
        else if (job == 1 && second % SYNC_SECONDS == 0)
            status = synchronise(housekeeping, settings, &jobs->sync, second);
        else if (job == 2)
            status = note_audiences(housekeeping, snapshot, &jobs->noted);
        else if (job == 3 && second % PRUNE_SECONDS == 0)
            status = expire(housekeeping, settings);
        patience_note(&jobs->patience, began_us, status == STATUS_UNAVAILABLE);
    }
}

static void *run_slow(void *argument)
{
    struct housekeeping *housekeeping = argument;
    struct engine *engine = housekeeping->engine;
    struct helper_jobs jobs = {.sync.due = true};
    for (unsigned second = 0;; second++) {
        struct snapshot *snapshot = current_snapshot_get(&engine->snapshots);
        const struct settings *settings = snapshot->settings;
        ask_helper(housekeeping, snapshot, &jobs, second);
        if (second % HOUR_SECONDS == 0)
            (void)!traffic_flush_hour(engine->traffic, engine->store,
                                      store_deadline_us());
        if (second % PRUNE_SECONDS == PRUNE_SECONDS - 1) {
            (void)convert(engine);
            prune(engine, settings);
            keep_traffic(engine, settings, second);
            peers_compare_rules(engine, settings, housekeeping->host, clock_wall_ms());
        }
        snapshot_unref(snapshot);
        clock_sleep_ms(1000);
    }
    return NULL;
}

static void send_report(const struct engine *engine, const struct settings *settings)
{
    struct error error = {0};
    const struct weekly_args args = {engine->ledger, engine->store, settings,
                                     &engine->token_key, clock_wall_ms()};
    enum status status = weekly_send(&args, &error);
    if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "the weekly report: %s", error.text);
}

/* What was not handed over is due again in the next round. */
static void notify_of_jumps(struct reload *reload, struct notices *notices,
                            const struct settings *settings)
{
    struct error error = {0};
    struct list_jumps jumps = {0};
    int64_t notified = 0;
    int64_t ways = notices_ways(settings);
    if (reload_jumps_to_notify(reload, ways, &jumps, &notified) != STATUS_OK ||
        jumps.count == 0)
        return;
    enum status status =
        notices_send_jumps(notices, settings, &jumps, notified, &notified, &error);
    reload_jumps_notified(reload, &jumps, notified);
    list_jumps_clear(&jumps);
    if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "notices: %s", error.text);
}

/* A letter that can be answered does not wait as long as others. */
static void await_notices(struct ledger *ledger)
{
    for (int ms = 0; ms < NOTICES_SECONDS * 1000; ms += ASKING_MS) {
        clock_sleep_ms(ASKING_MS);
        if (ledger_take_asking(ledger))
            return;
    }
}

/* By itself: helper and notify.command may take their time, and what waits on the queue
 * or the store must not wait for them. */
static void *run_notices(void *argument)
{
    const struct housekeeping *housekeeping = argument;
    struct engine *engine = housekeeping->engine;
    struct notices notices = {.ledger = engine->ledger,
                              .token_key = &engine->token_key,
                              .host = housekeeping->host,
                              .timeout_ms = NOTICES_TIMEOUT_MS};
    for (;;) {
        struct snapshot *snapshot = current_snapshot_get(&engine->snapshots);
        send_notices(&notices, snapshot->settings);
        send_report(engine, snapshot->settings);
        notify_of_jumps(housekeeping->reload, &notices, snapshot->settings);
        snapshot_unref(snapshot);
        await_notices(engine->ledger);
    }
    return NULL;
}

/* Looks at the queue whenever mail waits because a quota seems to be full. */
static void *run_look(void *argument)
{
    const struct housekeeping *housekeeping = argument;
    struct look *look = ledger_look(housekeeping->engine->ledger);
    for (;;) {
        struct error error = {0};
        struct actions_sync found = {0};
        if (!look_await(look, LOOK_RETRY_MS))
            continue;
        struct snapshot *snapshot =
            current_snapshot_get(&housekeeping->engine->snapshots);
        enum status status =
            actions_look(housekeeping->actions, snapshot->settings, &found, &error);
        snapshot_unref(snapshot);
        look_finish(look, status == STATUS_OK);
        if (status == STATUS_OK)
            tell_sync(&found);
        else
            log_throttled(
                SEVERITY_WARNING,
                "the quarantine may be full, but the queue could not be looked at: %s",
                error.text);
    }
    return NULL;
}

enum status housekeeping_start(struct engine *engine, struct actions *actions,
                               struct reload *reload, const char *host,
                               struct error *error)
{
    static struct housekeeping housekeeping; /* of the one daemon in this process */
    struct snapshot *snapshot = current_snapshot_get(&engine->snapshots);
    housekeeping = (struct housekeeping){
        .engine = engine, .actions = actions, .reload = reload, .host = host};
    housekeeping.alone = snapshot->settings->store.type == STORE_TYPE_MEMORY;
    snapshot_unref(snapshot);
    peers_init(&housekeeping.peers, host);
    claim_name(&housekeeping);
    enum status status = room_init(&housekeeping.room);
    if (status == STATUS_OK)
        status = worker_start("quick", run_quick, &housekeeping, NULL, error);
    if (status == STATUS_OK)
        status = worker_start("slow", run_slow, &housekeeping, NULL, error);
    if (status == STATUS_OK)
        status = worker_start("look", run_look, &housekeeping, NULL, error);
    if (status == STATUS_OK)
        status = worker_start("notices", run_notices, &housekeeping, NULL, error);
    return status;
}
