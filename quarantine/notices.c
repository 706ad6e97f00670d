/* What is due is decided by what stands in the incidents themselves, so it outlives
 * restarts and is the same for all relays. Sending takes three steps: it is taken on in
 * the store for a while, handed over, and written down as done. Who dies in between, or
 * finds the helper away, leaves it to whoever comes when that while is over: better a
 * notice twice than never.
 *
 *   in an incident   notified_ms, notified_total, notified_held, notices   as of the last
 *                    notice_claim_ms, notice_tries, notice_done             one in the
 * making in its notices   claim_ms, tries, told_ms, failed in the note summed_holds_ms,
 * summed_refusals_ms, sum_claim_ms     the last sum-up */
#include "quarantine/notices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/helper.h"
#include "quarantine/ledger_notices.h"
#include "quarantine/notice_command.h"
#include "quarantine/notice_mail.h"
#include "quarantine/notice_text.h"
#include "quarantine/record.h"

enum {
    STORE_MS = 2000,
    LIST_MS = 20000,
    PASSES_PER_LOOK_BACK = 12, /* at incidents that are over */
    DUE_MAX = 64,              /* of one kind, in one pass; the rest is for the next */
    TIMES_MAX = 50,            /* of a client's last notices */
};

/* What of a notice has been handed over. */
enum { DONE_MAIL = 1, DONE_COMMAND = 2 };

struct due {
    struct ledger_place place;
    char incident[DIGEST_ID_SIZE];
    char to[RECORD_TEXT_MAX + 1]; /* of a notice; else "" */
    int64_t since_ms;             /* what is due for longest goes first */
    bool begun;                   /* somebody has tried: it has its notice already */
};

struct due_list {
    struct due items[DUE_MAX];
    size_t count;
    size_t told;   /* in this interval */
    size_t beyond; /* that this interval has no notice of their own for */
};

struct pass {
    struct notices *notices;
    const struct settings *settings;
    int64_t now_ms, deadline_us;
    struct error *error;
    enum status status; /* of the last thing that went wrong */
    bool mail_away, command_away;
    json_t *note;
    json_t *sender_notices; /* times of notices to senders, by client */
    struct due_list holds, refusals, senders;
    bool sender_notices_wait; /* some notice is not written yet */
};

static int64_t soon(void)
{
    return clock_monotonic_us() + STORE_MS * INT64_C(1000);
}

/* Of what is left of the pass; at least a little, so that what was begun gets its try. */
static int timeout_ms(const struct pass *pass)
{
    int left_ms = clock_left_ms(pass->deadline_us);
    if (left_ms > pass->notices->timeout_ms)
        return pass->notices->timeout_ms;
    return left_ms > 1000 ? left_ms : 1000;
}

static void fail(struct pass *pass, enum status status)
{
    pass->status = status;
}

/* A time of another relay's clock may lie a little ahead of ours. */
static bool is_within(int64_t at_ms, int64_t now_ms, int64_t span_ms)
{
    return at_ms > 0 && now_ms - at_ms < span_ms && at_ms - now_ms < span_ms;
}

static bool set_number(json_t *object, const char *name, int64_t number)
{
    return json_object_set_new(object, name, json_integer(number)) == 0;
}

/* ---- what is due ---- */

static bool has_command(const struct pass *pass)
{
    const char *command = pass->settings->notify.command;
    return command != NULL && command[0] != '\0';
}

/* What there is to hand over. */
static int64_t wanted(const struct pass *pass)
{
    return (pass->settings->notify.to_count > 0 ? DONE_MAIL : 0) |
           (has_command(pass) ? DONE_COMMAND : 0);
}

static int64_t count_refusals(const json_t *incident)
{
    return record_number(incident, "refused") + record_number(incident, "deferred");
}

static int64_t count_all(const json_t *incident)
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
    return count_all(incident) > record_number(incident, "notified_total");
}

/* It is told when it opens, when the first message of it is held, and when it has grown
 * since the last time and some time is over. */
static bool is_notice_due(const struct pass *pass, const json_t *incident)
{
    int64_t now_ms = pass->now_ms;
    int64_t summed = summed_ms(pass, incident);
    int64_t notified_ms = record_number(incident, "notified_ms");
    int64_t last_ms = summed > 0 ? summed : notified_ms;
    if (!holds_any(incident) && count_refusals(incident) < NOTICES_REFUSALS_MIN)
        return false;
    if (is_within(record_number(incident, "notice_claim_ms"), now_ms, NOTICES_LEASE_MS))
        return false;
    bool first_hold = holds_any(incident) && notified_ms > 0 &&
                      json_object_get(incident, "notified_held") != NULL &&
                      record_number(incident, "notified_held") == 0;
    if (last_ms == 0 || first_hold || record_number(incident, "notice_claim_ms") > 0)
        return record_is_open(incident, now_ms) || record_waiting(incident) > 0 ||
               is_within(record_number(incident, "last_at"), now_ms, NOTICES_LATE_MS);
    return record_is_open(incident, now_ms) && has_grown(incident, summed) &&
           now_ms - last_ms >= pass->settings->notify.min_interval_ms;
}

static void add_due(struct due_list *list, const struct ledger_place *place,
                    const json_t *incident, const char *to)
{
    if (list->count == DUE_MAX) {
        list->beyond++;
        return;
    }
    struct due *due = &list->items[list->count++];
    *due = (struct due){.place = *place,
                        .since_ms = record_number(incident, "opened_at"),
                        .begun = record_number(incident, "notice_claim_ms") > 0};
    (void)snprintf(due->incident, sizeof due->incident, "%s",
                   record_text(incident, "id"));
    (void)snprintf(due->to, sizeof due->to, "%s", to);
}

static void look_at_notice(struct pass *pass, const struct ledger_place *place,
                           const json_t *incident)
{
    struct due_list *list = holds_any(incident) ? &pass->holds : &pass->refusals;
    if (is_within(record_number(incident, "notified_ms"), pass->now_ms,
                  pass->settings->notify.min_interval_ms))
        list->told++;
    if (wanted(pass) != 0 && is_notice_due(pass, incident))
        add_due(list, place, incident, "");
}

/* The times of notices that a client brought about, with a login or without. */
static json_t *times_of(struct pass *pass, const json_t *notice)
{
    char name[400];
    (void)snprintf(name, sizeof name, "%s %.300s",
                   json_is_true(json_object_get(notice, "login")) ? "login" : "-",
                   record_text(notice, "client"));
    json_t *times = json_object_get(pass->sender_notices, name);
    if (times != NULL)
        return times;
    times = json_array();
    return json_object_set_new(pass->sender_notices, name, times) == 0 ? times : NULL;
}

static void note_time(struct pass *pass, const json_t *notice, int64_t at_ms)
{
    json_t *times = times_of(pass, notice);
    if (times != NULL && json_array_size(times) < TIMES_MAX)
        (void)json_array_append_new(times, json_integer(at_ms));
}

/* Whether its client brought about as many notices as it may, since a while before this
 * message was held. Who is passed over so, stays so: a machine that is many people makes
 * no trickle of notices either. */
static bool is_passed_over(struct pass *pass, const json_t *notice)
{
    size_t i;
    const json_t *time;
    size_t count = 0;
    size_t max = json_is_true(json_object_get(notice, "login")) ? NOTICES_SENDER_MAX : 1;
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

static bool is_sender_notice_claimed(const struct pass *pass, const json_t *notice)
{
    return is_within(record_number(notice, "claim_ms"), pass->now_ms, NOTICES_LEASE_MS);
}

/* One that was begun counts, though nobody knows yet that it went. */
static void count_sender_notices(struct pass *pass, const json_t *incident)
{
    size_t i;
    const json_t *notice;
    json_array_foreach(json_object_get(incident, "letters"), i, notice)
    {
        int64_t told_ms = record_number(notice, "told_ms");
        int64_t claim_ms = record_number(notice, "claim_ms");
        if (told_ms > 0 || claim_ms > 0)
            note_time(pass, notice, told_ms > 0 ? told_ms : claim_ms);
        pass->sender_notices_wait =
            pass->sender_notices_wait || is_sender_notice_open(notice);
    }
}

static enum status look_at(void *context, const struct ledger_place *place,
                           const json_t *incident)
{
    struct pass *pass = context;
    look_at_notice(pass, place, incident);
    if (pass->settings->notify.tell_sender)
        count_sender_notices(pass, incident);
    return clock_left_ms(pass->deadline_us) > 0 ? STATUS_OK : STATUS_LIMIT;
}

static bool is_sender_notice_due(struct pass *pass, const json_t *incident,
                                 const json_t *notice)
{
    bool retried = record_number(notice, "claim_ms") > 0;
    return record_waiting(incident) > 0 && is_sender_notice_open(notice) &&
           !is_sender_notice_claimed(pass, notice) &&
           (retried || !is_passed_over(pass, notice));
}

/* Once it is known how many notices each client has had. */
static enum status look_at_sender_notices(void *context, const struct ledger_place *place,
                                          const json_t *incident)
{
    size_t i;
    const json_t *notice;
    struct pass *pass = context;
    json_array_foreach(json_object_get(incident, "letters"), i, notice)
    {
        if (is_sender_notice_due(pass, incident, notice))
            add_due(&pass->senders, place, incident, record_text(notice, "to"));
    }
    return clock_left_ms(pass->deadline_us) > 0 ? STATUS_OK : STATUS_LIMIT;
}

/* ---- handing over ---- */

static enum status send_mail(struct pass *pass, const struct notice_mail *mail)
{
    struct text message = {0};
    struct text addresses = {0};
    const struct settings *settings = pass->settings;
    enum status status =
        notice_mail_make(mail, pass->notices->token_key, &settings->policy.domains,
                         pass->now_ms, &message, &addresses);
    if (status == STATUS_OK)
        status =
            helper_notice(settings->mta.helper, timeout_ms(pass), text_string(&addresses),
                          text_string(&message), pass->error);
    else
        (void)error_set(pass->error, status, "out of memory for a notice");
    text_clear(&message);
    text_clear(&addresses);
    pass->mail_away = pass->mail_away || status == STATUS_UNAVAILABLE;
    if (status != STATUS_OK)
        fail(pass, status);
    return status;
}

static enum status mail_administrators(struct pass *pass, const char *subject,
                                       const char *body)
{
    const struct settings *settings = pass->settings;
    size_t count = settings->notify.to_count;
    const struct notice_mail mail = {
        .recipients = (const char *const *)settings->notify.to,
        .recipient_count =
            count > NOTICE_MAIL_RECIPIENTS_MAX ? NOTICE_MAIL_RECIPIENTS_MAX : count,
        .subject = subject,
        .body = body,
    };
    return send_mail(pass, &mail);
}

static enum status run_command(struct pass *pass, const json_t *document)
{
    enum status status =
        document == NULL
            ? error_set(pass->error, STATUS_NOMEM, "out of memory for a notice")
            : notice_command_run(pass->settings->notify.command, document,
                                 timeout_ms(pass), pass->error);
    /* One that hangs or is not there would take as long for all others. */
    pass->command_away = pass->command_away || status != STATUS_OK;
    if (status != STATUS_OK)
        fail(pass, status);
    return status;
}

/* And what can't be at present. */
static int64_t away(const struct pass *pass)
{
    return (pass->mail_away ? DONE_MAIL : 0) | (pass->command_away ? DONE_COMMAND : 0);
}

struct message {
    struct text subject, body;
    json_t *document; /* for the command; taken over */
    int64_t done;
    bool insist; /* false: what is refused now is given up */
};

/* Returns what of it has been handed over, or was given up. */
static int64_t hand_over(struct pass *pass, struct message *message)
{
    int64_t done = message->done;
    int64_t todo = wanted(pass) & ~done & ~away(pass);
    if (message->subject.failed || message->body.failed || message->document == NULL) {
        fail(pass, error_set(pass->error, STATUS_NOMEM, "out of memory for a notice"));
        return done;
    }
    if ((todo & DONE_MAIL) != 0) {
        enum status status = mail_administrators(pass, text_string(&message->subject),
                                                 text_string(&message->body));
        if (status == STATUS_OK || (status == STATUS_INVALID && !message->insist))
            done |= DONE_MAIL;
    }
    if ((todo & DONE_COMMAND) != 0) {
        (void)json_object_set_new(message->document, "subject",
                                  json_string(text_string(&message->subject)));
        (void)json_object_set_new(message->document, "text",
                                  json_string(text_string(&message->body)));
        (void)json_object_set_new(message->document, "host",
                                  record_string(pass->notices->host));
        if (run_command(pass, message->document) == STATUS_OK || !message->insist)
            done |= DONE_COMMAND;
    }
    return done;
}

static void message_clear(struct message *message)
{
    text_clear(&message->subject);
    text_clear(&message->body);
    json_decref(message->document);
}

/* ---- a notice to the administrators ---- */

struct step {
    struct pass *pass;
    const struct due *due;
    const json_t *claimed; /* the incident as it was taken on */
    int64_t done;
    bool failed;
};

static bool is_all(const struct pass *pass, int64_t done)
{
    return (wanted(pass) & ~done) == 0;
}

/* Nothing could be handed over now. */
static bool is_idle(const struct pass *pass)
{
    return is_all(pass, away(pass));
}

static bool claim_notice(void *context, json_t *incident)
{
    const struct step *step = context;
    if (!is_notice_due(step->pass, incident))
        return false;
    return set_number(incident, "notice_claim_ms", step->pass->now_ms) &&
           set_number(incident, "notice_tries",
                      record_number(incident, "notice_tries") + 1);
}

/* All of it went: the claim ends. Else it stays, and says what is left. */
static bool confirm_notice(void *context, json_t *incident)
{
    const struct step *step = context;
    const struct pass *pass = step->pass;
    if (!is_all(pass, step->done))
        return set_number(incident, "notice_done", step->done);
    (void)json_object_del(incident, "notice_claim_ms");
    (void)json_object_del(incident, "notice_tries");
    (void)json_object_del(incident, "notice_done");
    return set_number(incident, "notified_ms", pass->now_ms) &&
           set_number(incident, "notified_total", count_all(step->claimed)) &&
           set_number(incident, "notified_held", record_number(step->claimed, "held")) &&
           set_number(incident, "notices", record_number(incident, "notices") + 1);
}

/* As a person is shown it: doc/control-api.md says what is in it. */
static json_t *make_document(const json_t *incident)
{
    static const char *const inner[] = {
        "letters",     "notice_claim_ms", "notice_tries", "notice_done",
        "notified_ms", "notified_total",  "notified_held"};
    json_t *document = json_deep_copy(incident);
    if (document == NULL || !record_show(document) ||
        json_object_set_new(document, "event", json_string("incident")) != 0) {
        json_decref(document);
        return NULL;
    }
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        (void)json_object_del(document, inner[i]);
    return document;
}

static void say_store(struct pass *pass, enum status status)
{
    if (status == STATUS_OK || status == STATUS_CONFLICT || status == STATUS_NOT_FOUND)
        return;
    fail(pass, error_set(pass->error, status,
                         status == STATUS_LIMIT ? "an incident's record is too long"
                                                : "the store does not answer"));
}

static enum status change(struct pass *pass, const struct due *due,
                          bool (*how)(void *context, json_t *incident), struct step *step,
                          json_t **out)
{
    enum status status = ledger_change_incident(pass->notices->ledger, &due->place,
                                                due->incident, how, step, soon(), out);
    say_store(pass, status);
    return status;
}

static void notify(struct pass *pass, const struct due *due)
{
    json_t *incident = NULL;
    struct step step = {.pass = pass, .due = due};
    if (is_idle(pass) || change(pass, due, claim_notice, &step, &incident) != STATUS_OK)
        return;
    const struct notice_facts facts = {incident, pass->settings, pass->notices->host};
    struct message message = {.document = make_document(incident),
                              .done = record_number(incident, "notice_done"),
                              .insist = record_number(incident, "notice_tries") <
                                        NOTICES_TRIES};
    notice_subject(&facts, &message.subject);
    notice_body(&facts, &message.body);
    step.done = hand_over(pass, &message);
    step.claimed = incident;
    (void)change(pass, due, confirm_notice, &step, NULL);
    message_clear(&message);
    json_decref(incident);
}

/* ---- a notice to a sender ---- */

static json_t *find_sender_notice(const json_t *incident, const char *to)
{
    size_t i;
    json_t *notice;
    json_array_foreach(json_object_get(incident, "letters"), i, notice)
    {
        if (strcmp(record_text(notice, "to"), to) == 0)
            return notice;
    }
    return NULL;
}

static bool claim_sender_notice(void *context, json_t *incident)
{
    const struct step *step = context;
    json_t *notice = find_sender_notice(incident, step->due->to);
    if (notice == NULL || !is_sender_notice_due(step->pass, incident, notice))
        return false;
    return set_number(notice, "claim_ms", step->pass->now_ms) &&
           set_number(notice, "tries", record_number(notice, "tries") + 1);
}

static bool confirm_sender_notice(void *context, json_t *incident)
{
    const struct step *step = context;
    json_t *notice = find_sender_notice(incident, step->due->to);
    if (notice == NULL)
        return false;
    if (step->failed)
        return json_object_set_new(notice, "failed", json_true()) == 0;
    return set_number(notice, "told_ms", step->pass->now_ms) &&
           json_object_set_new(incident, "sender_told", json_true()) == 0;
}

static enum status mail_sender(struct pass *pass, const struct due *due,
                               const json_t *incident, const json_t *record)
{
    struct text body = {0};
    const char *to = due->to;
    const struct notice_facts facts = {incident, pass->settings, pass->notices->host};
    notice_sender_body(&facts, record, &body);
    const struct notice_mail mail = {
        .recipients = &to,
        .recipient_count = 1,
        .subject = "Your message is being held for review",
        .body = text_string(&body),
    };
    enum status status = body.failed ? STATUS_NOMEM : send_mail(pass, &mail);
    text_clear(&body);
    return status;
}

/* 250 looks delivered: whoever sent it must know that it waits. */
static void tell_sender(struct pass *pass, const struct due *due)
{
    json_t *incident = NULL;
    struct step step = {.pass = pass, .due = due};
    if (pass->mail_away ||
        change(pass, due, claim_sender_notice, &step, &incident) != STATUS_OK)
        return;
    const json_t *notice = find_sender_notice(incident, due->to);
    enum status status = mail_sender(pass, due, incident, notice);
    step.failed =
        status == STATUS_INVALID && record_number(notice, "tries") >= NOTICES_TRIES;
    if (status == STATUS_OK || step.failed)
        (void)change(pass, due, confirm_sender_notice, &step, NULL);
    note_time(pass, notice, pass->now_ms);
    json_decref(incident);
}

/* ---- the sum-up ---- */

static bool claim_sum(void *context, json_t *note)
{
    const struct pass *pass = context;
    int64_t interval_ms = pass->settings->notify.min_interval_ms;
    if (is_within(record_number(note, "sum_claim_ms"), pass->now_ms, NOTICES_LEASE_MS) ||
        is_within(record_number(note, "summed_ms"), pass->now_ms, interval_ms))
        return false;
    return set_number(note, "sum_claim_ms", pass->now_ms);
}

struct summed {
    const struct pass *pass;
    int64_t done;
};

static bool confirm_sum(void *context, json_t *note)
{
    const struct summed *summed = context;
    const struct pass *pass = summed->pass;
    if (!is_all(pass, summed->done))
        return set_number(note, "sum_done", summed->done);
    (void)json_object_del(note, "sum_claim_ms");
    (void)json_object_del(note, "sum_done");
    return set_number(note, "summed_ms", pass->now_ms) &&
           (pass->holds.beyond == 0 ||
            set_number(note, "summed_holds_ms", pass->now_ms)) &&
           (pass->refusals.beyond == 0 ||
            set_number(note, "summed_refusals_ms", pass->now_ms));
}

static void describe_sum(struct pass *pass, struct message *message)
{
    size_t count = pass->holds.beyond + pass->refusals.beyond;
    text_printf(&message->subject,
                "Mailbrake: %zu more incidents, %zu of them holding mail", count,
                pass->holds.beyond);
    text_printf(&message->body,
                "%zu more incident%s opened than are reported one by one; %zu of them "
                "hold%s mail.\n\n  relay        ",
                count, count == 1 ? " has" : "s have", pass->holds.beyond,
                pass->holds.beyond == 1 ? "s" : "");
    text_add_escaped(&message->body, pass->notices->host, strlen(pass->notices->host),
                     200);
    text_add_string(
        &message->body,
        "\n\nIf nobody does anything, held mail will be refused when its time "
        "is over, and\nrefused mail stays refused.\n\nOn a relay, type:\n\n"
        "  mailbrake incidents\n"
        "  mailbrake brake set all --for 1h   # stop all mail to more than "
        "one\n");
    message->document =
        json_pack("{s:s, s:I, s:I}", "event", "summary", "incidents", (json_int_t)count,
                  "holding", (json_int_t)pass->holds.beyond);
}

static void sum_up(struct pass *pass)
{
    if (pass->holds.beyond + pass->refusals.beyond == 0 || is_idle(pass))
        return;
    enum status status =
        ledger_change_note(pass->notices->ledger, claim_sum, pass, soon());
    if (status != STATUS_OK) {
        say_store(pass, status);
        return;
    }
    struct message message = {.done = record_number(pass->note, "sum_done"),
                              .insist = true};
    describe_sum(pass, &message);
    struct summed summed = {.pass = pass, .done = hand_over(pass, &message)};
    say_store(pass,
              ledger_change_note(pass->notices->ledger, confirm_sum, &summed, soon()));
    message_clear(&message);
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
    fail(pass, error_set(pass->error, STATUS_LIMIT,
                         "not all of them could be sent in time; the rest follows"));
    return false;
}

/* Those that were begun, and as many others as the interval has notices for. */
static void notify_all(struct pass *pass, struct due_list *list, size_t max)
{
    size_t left = max > list->told ? max - list->told : 0;
    qsort(list->items, list->count, sizeof list->items[0], compare);
    for (size_t i = 0; i < list->count && goes_on(pass); i++) {
        const struct due *due = &list->items[i];
        if (!due->begun && left == 0) {
            list->beyond++;
            continue;
        }
        left -= due->begun ? 0 : 1;
        notify(pass, due);
    }
}

static void tell_senders(struct pass *pass)
{
    struct due_list *list = &pass->senders;
    qsort(list->items, list->count, sizeof list->items[0], compare);
    for (size_t i = 0; i < list->count && goes_on(pass); i++)
        tell_sender(pass, &list->items[i]);
}

/* LIMIT, when the time is over before all were seen. */
static enum status look_at_all(struct pass *pass)
{
    struct ledger *ledger = pass->notices->ledger;
    int64_t deadline_us = clock_monotonic_us() + LIST_MS * INT64_C(1000);
    bool over = pass->notices->passes++ % PASSES_PER_LOOK_BACK == 0;
    enum status status = ledger_read_note(ledger, soon(), &pass->note);
    if (status == STATUS_OK)
        status = ledger_each_incident(ledger, over, deadline_us, look_at, pass);
    if (status == STATUS_OK && pass->sender_notices_wait)
        status =
            ledger_each_incident(ledger, over, deadline_us, look_at_sender_notices, pass);
    if (status == STATUS_UNAVAILABLE && clock_left_ms(deadline_us) > 0)
        return status; /* the store says itself that it is away */
    if (status != STATUS_OK)
        fail(pass, error_set(pass->error, status,
                             status == STATUS_NOMEM
                                 ? "out of memory"
                                 : "the store did not give all incidents in time"));
    return status;
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
                          .deadline_us =
                              clock_monotonic_us() + NOTICES_PASS_MS * INT64_C(1000),
                          .error = error,
                          .sender_notices = json_object()};
    if (look_at_all(pass) == STATUS_OK) {
        notify_all(pass, &pass->holds, NOTICES_HOLDS);
        tell_senders(pass);
        notify_all(pass, &pass->refusals, NOTICES_REFUSALS);
        sum_up(pass);
    }
    enum status status = pass->status;
    json_decref(pass->note);
    json_decref(pass->sender_notices);
    free(pass);
    return status;
}
