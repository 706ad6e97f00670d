/* What is due is decided by what stands in the incidents themselves, so it outlives
 * restarts and is the same for all relays. */
#include "quarantine/notices/notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/ledger_incident.h"
#include "quarantine/ledger_list.h"
#include "quarantine/notices/notices_parts.h"
#include "quarantine/terms.h"

enum {
    LIST_MS = 20000,
    PASSES_PER_LOOK_BACK = 12, /* at incidents that are over */
    TIMES_MAX = 50,            /* of a client's last notices */
};

bool notices_is_within(int64_t at_ms, int64_t now_ms, int64_t span_ms)
{
    return at_ms > 0 && now_ms - at_ms < span_ms && at_ms - now_ms < span_ms;
}

/* ---- what is due ---- */

int64_t notices_ways(const struct settings *settings)
{
    const char *command = settings->notify.command;
    return (settings->notify.to_count > 0 ? NOTICES_MAIL : 0) |
           (command != NULL && command[0] != '\0' ? NOTICES_COMMAND : 0);
}

static int64_t count_refusals(const json_t *incident)
{
    return record_number(incident, "refused") + record_number(incident, "deferred");
}

int64_t notices_count_all(const json_t *incident)
{
    return record_number(incident, "held") + count_refusals(incident);
}

static bool holds_any(const json_t *incident)
{
    return record_number(incident, "held") > 0;
}

/* When a sum-up told of it, though not by name; 0: none did. */
static int64_t summed_ms(const struct pass *pass, const json_t *incident)
{
    int64_t at_ms = record_number(pass->note, holds_any(incident) ? "summed_holds_ms"
                                                                  : "summed_refusals_ms");
    bool covered = record_number(incident, "notified_ms") == 0 &&
                   record_number(incident, "notice_claim_ms") == 0 &&
                   record_number(incident, "opened_at") <= at_ms;
    return covered ? at_ms : 0;
}

static bool has_grown(const json_t *incident, int64_t summed)
{
    if (summed > 0)
        return record_number(incident, "last_at") > summed;
    return notices_count_all(incident) > record_number(incident, "notified_total");
}

/* It is told when it opens, when the first message of it is held, and when it has grown
 * since the last time and some time is over. */
bool notices_is_due(const struct pass *pass, const json_t *incident)
{
    int64_t now_ms = pass->now_ms;
    int64_t summed = summed_ms(pass, incident);
    int64_t notified_ms = record_number(incident, "notified_ms");
    int64_t last_ms = summed > 0 ? summed : notified_ms;
    if (!holds_any(incident) && count_refusals(incident) < NOTICES_REFUSALS_MIN)
        return false;
    if (notices_is_within(record_number(incident, "notice_claim_ms"), now_ms,
                          NOTICES_LEASE_MS))
        return false;
    bool first_hold = holds_any(incident) && notified_ms > 0 &&
                      json_object_get(incident, "notified_held") != NULL &&
                      record_number(incident, "notified_held") == 0;
    if (last_ms == 0 || first_hold || record_number(incident, "notice_claim_ms") > 0)
        return record_is_open(incident, now_ms) || record_waiting(incident) > 0 ||
               notices_is_within(record_number(incident, "last_at"), now_ms,
                                 NOTICES_LATE_MS);
    return record_is_open(incident, now_ms) && has_grown(incident, summed) &&
           now_ms - last_ms >= pass->settings->notify.min_interval_ms;
}

static void add_due(struct due_list *list, const json_t *incident, const char *to)
{
    if (list->count == NOTICES_DUE_MAX) {
        list->beyond++;
        return;
    }
    struct due *due = &list->items[list->count++];
    *due = (struct due){.since_ms = record_number(incident, "opened_at"),
                        .begun = record_number(incident, "notice_claim_ms") > 0};
    (void)snprintf(due->incident, sizeof due->incident, "%s",
                   record_text(incident, "id"));
    (void)snprintf(due->to, sizeof due->to, "%s", to);
}

bool notices_is_confirmable(const struct pass *pass, const json_t *notice)
{
    const char *address = pass->settings->policy.confirm.address;
    return address != NULL && address[0] != '\0' &&
           record_text(notice, "confirmed_by")[0] != '\0';
}

/* A kind of notices to senders, each of which is counted by itself. */
static const char *kind_of(const struct pass *pass, const json_t *notice, size_t *out_max)
{
    bool login = json_is_true(json_object_get(notice, "login"));
    bool confirm = notices_is_confirmable(pass, notice);
    *out_max = confirm ? NOTICES_CONFIRM_MAX : login ? NOTICES_SENDER_MAX : 1;
    return confirm ? "confirm" : login ? "login" : "-";
}

/* The times of notices of a kind that a client brought about. */
static json_t *times_of(struct pass *pass, const json_t *notice)
{
    size_t max;
    char name[400];
    (void)snprintf(name, sizeof name, "%s %.300s", kind_of(pass, notice, &max),
                   record_text(notice, "client"));
    json_t *times = json_object_get(pass->sender_notices, name);
    if (times != NULL)
        return times;
    times = json_array();
    return json_object_set_new(pass->sender_notices, name, times) == 0 ? times : NULL;
}

void notices_note_time(struct pass *pass, const json_t *notice, int64_t at_ms)
{
    json_t *times = times_of(pass, notice);
    if (times != NULL && json_array_size(times) < TIMES_MAX)
        (void)json_array_append_new(times, json_integer(at_ms));
}

/* Whether its client has caused as many notices as it may, counted from an interval
 * before this message was held. A sender who is passed over stays so: a machine that many
 * people share must not cause a trickle of notices either. */
static bool is_passed_over(struct pass *pass, const json_t *notice)
{
    size_t i;
    const json_t *time;
    size_t count = 0;
    size_t max;
    (void)kind_of(pass, notice, &max);
    int64_t interval_ms = pass->settings->notify.min_interval_ms;
    if (interval_ms < NOTICES_SENDER_MIN_MS)
        interval_ms = NOTICES_SENDER_MIN_MS;
    json_array_foreach(times_of(pass, notice), i, time)
    {
        count += json_integer_value(time) > record_number(notice, "since") - interval_ms;
    }
    return count >= max;
}

static bool is_sender_notice_open(const json_t *notice)
{
    return record_number(notice, "told_ms") == 0 &&
           !json_is_true(json_object_get(notice, "failed"));
}

/* A notice that was begun counts, though nobody knows yet whether it went out. */
static void count_sender_notices(struct pass *pass, const json_t *incident)
{
    size_t i;
    const json_t *notice;
    json_array_foreach(json_object_get(incident, "letters"), i, notice)
    {
        if (!pass->settings->notify.tell_sender && !notices_is_confirmable(pass, notice))
            continue;
        int64_t told_ms = record_number(notice, "told_ms");
        int64_t claim_ms = record_number(notice, "claim_ms");
        if (told_ms > 0 || claim_ms > 0)
            notices_note_time(pass, notice, told_ms > 0 ? told_ms : claim_ms);
        pass->sender_notices_wait =
            pass->sender_notices_wait || is_sender_notice_open(notice);
    }
}

static enum status look_at(void *context, const char *entry, const char *text,
                           const json_t *incident)
{
    struct pass *pass = context;
    struct due_list *list = holds_any(incident) ? &pass->holds : &pass->refusals;
    (void)entry;
    (void)text;
    if (notices_is_within(record_number(incident, "notified_ms"), pass->now_ms,
                          pass->settings->notify.min_interval_ms))
        list->reported++;
    if (notices_ways(pass->settings) != 0 && notices_is_due(pass, incident))
        add_due(list, incident, "");
    count_sender_notices(pass, incident);
    return STATUS_OK;
}

bool notices_is_sender_due(struct pass *pass, const json_t *incident,
                           const json_t *notice)
{
    bool retried = record_number(notice, "claim_ms") > 0;
    bool wanted =
        pass->settings->notify.tell_sender || notices_is_confirmable(pass, notice);
    return wanted && record_waiting(incident) > 0 && is_sender_notice_open(notice) &&
           !notices_is_within(record_number(notice, "claim_ms"), pass->now_ms,
                              NOTICES_LEASE_MS) &&
           (retried || !is_passed_over(pass, notice));
}

/* Once it is known how many notices each client has had. */
static enum status look_at_sender_notices(void *context, const char *entry,
                                          const char *text, const json_t *incident)
{
    size_t i;
    const json_t *notice;
    struct pass *pass = context;
    (void)entry;
    (void)text;
    json_array_foreach(json_object_get(incident, "letters"), i, notice)
    {
        if (!notices_is_sender_due(pass, incident, notice))
            continue;
        add_due(&pass->senders, incident, record_text(notice, "to"));
        if (pass->senders.beyond == 0)
            pass->senders.items[pass->senders.count - 1].asked =
                notices_is_confirmable(pass, notice);
    }
    return STATUS_OK;
}

/* ---- letters that were handed over, while the store could not be told so ---- */

bool notices_was_handed(const struct notices *notices, const struct due *due)
{
    for (size_t i = 0; i < notices->handed_count; i++)
        if (strcmp(notices->handed[i].incident, due->incident) == 0 &&
            strcmp(notices->handed[i].to, due->to) == 0)
            return true;
    return false;
}

/* Without room it may be sent again when its claim lapses. */
void notices_note_handed(struct notices *notices, const struct due *due)
{
    if (notices->handed_count == NOTICES_HANDED_MAX || strlen(due->to) >= NOTICES_TO_SIZE)
        return;
    struct notices_handed *handed = &notices->handed[notices->handed_count++];
    memcpy(handed->incident, due->incident, sizeof handed->incident);
    (void)snprintf(handed->to, sizeof handed->to, "%.*s", NOTICES_TO_SIZE - 1, due->to);
}

static void settle(struct pass *pass)
{
    struct notices *notices = pass->notices;
    for (size_t i = notices->handed_count; i-- > 0;) {
        const struct notices_handed *handed = &notices->handed[i];
        struct due due = {.begun = true};
        memcpy(due.incident, handed->incident, sizeof due.incident);
        (void)snprintf(due.to, sizeof due.to, "%s", handed->to);
        if (notices_record_told(pass, &due, false) == STATUS_UNAVAILABLE)
            return;
        notices->handed[i] = notices->handed[--notices->handed_count];
    }
}

/* ---- a pass ---- */

static int compare(const void *left, const void *right)
{
    const struct due *a = left;
    const struct due *b = right;
    if (a->since_ms != b->since_ms)
        return a->since_ms < b->since_ms ? -1 : 1;
    return strcmp(a->incident, b->incident);
}

/* False when the time is over. */
static bool goes_on(struct pass *pass)
{
    if (clock_left_ms(pass->deadline_us) > 0)
        return true;
    pass->status = error_set(pass->error, STATUS_LIMIT,
                             "not all of them could be sent in time; the rest follows");
    return false;
}

/* Those that were begun, and as many others as the interval has notices for. */
static void notify_all(struct pass *pass, struct due_list *list, size_t max)
{
    size_t left = max > list->reported ? max - list->reported : 0;
    qsort(list->items, list->count, sizeof list->items[0], compare);
    for (size_t i = 0; i < list->count && goes_on(pass); i++) {
        const struct due *due = &list->items[i];
        if (!due->begun && left == 0) {
            list->beyond++;
            continue;
        }
        left -= due->begun ? 0 : 1;
        notices_notify(pass, due);
    }
}

/* asked: those whose answer is awaited, who come first. */
static void tell_senders(struct pass *pass, bool asked)
{
    struct due_list *list = &pass->senders;
    qsort(list->items, list->count, sizeof list->items[0], compare);
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].asked == asked && goes_on(pass))
            notices_tell_sender(pass, &list->items[i]);
}

/* What a pass looks at: what is open, and now and then what is not. */
static void begin_look(struct notices_look *look, unsigned passes, int64_t now_ms)
{
    char from[TERMS_SIZE];
    look->back = passes % PASSES_PER_LOOK_BACK == 0;
    look->second = false;
    scan_set(&look->scan, COLLECTION_INCIDENTS, look->back ? TERMS_CURRENT : TERMS_OPEN,
             NULL);
    scan_set(&look->over, COLLECTION_INCIDENTS, TERMS_OVER, NULL);
    terms_until(TERMS_OVER, now_ms - NOTICES_LATE_MS, from);
    (void)snprintf(look->over.next, sizeof look->over.next, "%s", from);
}

/* From where look is on to its end; LIMIT when the deadline comes first. */
static enum status go_on(struct pass *pass, struct notices_look *look, ledger_each *each)
{
    struct ledger *ledger = pass->notices->ledger;
    int64_t deadline_us = clock_deadline_us(LIST_MS);
    enum status status = STATUS_OK;
    if (!look->second)
        status = ledger_scan(ledger, &look->scan, deadline_us, each, pass);
    if (status == STATUS_OK && look->back) {
        look->second = true;
        status = ledger_scan(ledger, &look->over, deadline_us, each, pass);
    }
    look->done = status == STATUS_OK;
    return status;
}

static bool is_before(const struct notices_look *a, const struct notices_look *b)
{
    if (a->done || b->done)
        return !a->done;
    if (a->second != b->second)
        return b->second;
    return strcmp(a->second ? a->over.next : a->scan.next,
                  b->second ? b->over.next : b->scan.next) < 0;
}

/* Looks twice, since notices to senders are counted before one is due. When the time is
 * over first, the next pass goes on from there, and what was seen to be due is sent. */
static enum status look_at_all(struct pass *pass)
{
    struct notices *notices = pass->notices;
    enum status status = ledger_read_note(
        notices->ledger, clock_deadline_us(NOTICES_STORE_MS), &pass->note);
    if (notices->passes == 0 || notices->look.done)
        begin_look(&notices->look, notices->passes++, pass->now_ms);
    struct notices_look first = notices->look;
    struct notices_look second = notices->look;
    if (status == STATUS_OK)
        status = go_on(pass, &first, look_at);
    bool again =
        (status == STATUS_OK || status == STATUS_LIMIT) && pass->sender_notices_wait;
    enum status looked = again ? go_on(pass, &second, look_at_sender_notices) : STATUS_OK;
    if (looked != STATUS_OK)
        status = looked;
    if (status == STATUS_OK || status == STATUS_LIMIT)
        notices->look = again && is_before(&second, &first) ? second : first;
    if (status == STATUS_LIMIT)
        pass->status = error_set(pass->error, status,
                                 "not all incidents were looked at in %d s; the next "
                                 "pass goes on from there",
                                 LIST_MS / 1000);
    else if (status == STATUS_NOMEM)
        pass->status = error_set(pass->error, status, "out of memory");
    return status == STATUS_LIMIT ? STATUS_OK : status;
}

enum status notices_send(struct notices *notices, const struct settings *settings,
                         int64_t now_ms, struct error *error)
{
    struct pass *pass = calloc(1, sizeof *pass); /* large for a stack */
    if (pass == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory for notices");
    *pass = (struct pass){.notices = notices,
                          .settings = settings,
                          .now_ms = now_ms,
                          .begun_us = clock_monotonic_us(),
                          .deadline_us = clock_deadline_us(NOTICES_PASS_MS),
                          .error = error,
                          .mail_away = !patience_is_left(&notices->mail),
                          .sender_notices = json_object()};
    settle(pass);
    if (look_at_all(pass) == STATUS_OK) {
        tell_senders(pass, true);
        notify_all(pass, &pass->holds, NOTICES_HOLDS);
        tell_senders(pass, false);
        notify_all(pass, &pass->refusals, NOTICES_REFUSALS);
        notices_sum_up(pass);
    }
    enum status status = pass->status;
    json_decref(pass->note);
    json_decref(pass->sender_notices);
    free(pass);
    return status;
}
