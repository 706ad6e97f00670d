/* Sending takes three steps: a notice is claimed in the store for a while, handed over,
 * and recorded as sent. If a relay dies in between, or its helper is away, a relay sends
 * the notice when the claim lapses: better twice than never.
 *
 * In an incident, notified_ms, notified_total, notified_held and notices tell of the last
 * notice; notice_claim_ms, notice_tries and notice_done of the one being sent. Each of
 * its "letters" has claim_ms, tries, told_ms and failed. The note has summed_ms,
 * summed_holds_ms, summed_refusals_ms, sum_claim_ms and sum_done, of the sum-up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/program.h"
#include "quarantine/helper.h"
#include "quarantine/ledger_incident.h"
#include "quarantine/notices/confirm.h"
#include "quarantine/notices/notice_mail.h"
#include "quarantine/notices/notice_text.h"
#include "quarantine/notices/notices_parts.h"

/* Of what is left of the pass; at least a little, so that what was begun gets its try. */
static int timeout_ms(const struct pass *pass)
{
    int left_ms = clock_left_ms(pass->deadline_us);
    if (left_ms > pass->notices->timeout_ms)
        return pass->notices->timeout_ms;
    return left_ms > 1000 ? left_ms : 1000;
}

/* What a claim is counted from: a pass may take longer than it lasts. */
static int64_t wall_ms(const struct pass *pass)
{
    return pass->now_ms + (clock_monotonic_us() - pass->begun_us) / 1000;
}

/* ---- handing over ---- */

/* body is escaped already. */
static enum status send_mail(struct pass *pass, const struct notice_mail *mail)
{
    struct text message = {0};
    struct text addresses = {0};
    const struct settings *settings = pass->settings;
    int64_t began_us = clock_monotonic_us();
    enum status status =
        notice_mail_make(mail, pass->notices->token_key, &settings->policy.domains,
                         pass->now_ms, &message, &addresses);
    if (status == STATUS_OK && !patience_is_left(&pass->notices->mail))
        status = error_set(pass->error, STATUS_UNAVAILABLE,
                           "mailbrake-mta hangs: it is asked again in a minute");
    else if (status == STATUS_OK)
        status =
            helper_notice(settings->mta.helper, timeout_ms(pass), text_string(&addresses),
                          text_string(&message), pass->error);
    else
        (void)error_set(pass->error, status, "out of memory for a notice");
    text_clear(&message);
    text_clear(&addresses);
    if (patience_is_left(&pass->notices->mail))
        patience_note(&pass->notices->mail, began_us, status == STATUS_UNAVAILABLE);
    pass->mail_away = pass->mail_away || status == STATUS_UNAVAILABLE;
    if (status != STATUS_OK)
        pass->status = status;
    return status;
}

/* The administrator's own line for the shell, which inherits our environment and standard
 * error. It gets the document on standard input, never as an argument. */
static enum status run_command(struct pass *pass, const json_t *document)
{
    struct error failure = {0};
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII);
    const struct program shell = {
        .words = {"/bin/sh", "-c", pass->settings->notify.command},
        .input = text,
        .input_length = text == NULL ? 0 : strlen(text),
        .inherits = true,
    };
    enum status status =
        text == NULL ? error_set(&failure, STATUS_NOMEM, "out of memory")
                     : program_run(&shell, clock_deadline_us(timeout_ms(pass)), &failure);
    free(text);
    if (status == STATUS_OK)
        return status;
    /* One that hangs or is not there would take as long for all others. */
    pass->command_away = true;
    pass->status = error_set(pass->error, STATUS_IO, "notify.command: %s", failure.text);
    return pass->status;
}

/* What can't be handed over at present. */
static int64_t away(const struct pass *pass)
{
    return (pass->mail_away ? NOTICES_MAIL : 0) |
           (pass->command_away ? NOTICES_COMMAND : 0);
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
    int64_t todo = notices_ways(pass->settings) & ~done & ~away(pass);
    if (message->subject.failed || message->body.failed || message->document == NULL) {
        pass->status = error_set(pass->error, STATUS_NOMEM, "out of memory for a notice");
        return done;
    }
    if ((todo & NOTICES_MAIL) != 0) {
        const struct settings *settings = pass->settings;
        size_t count = settings->notify.to_count;
        const struct notice_mail mail = {
            .recipients = (const char *const *)settings->notify.to,
            .recipient_count =
                count > NOTICE_MAIL_RECIPIENTS_MAX ? NOTICE_MAIL_RECIPIENTS_MAX : count,
            .subject = text_string(&message->subject),
            .body = text_string(&message->body)};
        enum status status = send_mail(pass, &mail);
        if (status == STATUS_OK || (status == STATUS_INVALID && !message->insist))
            done |= NOTICES_MAIL;
    }
    if ((todo & NOTICES_COMMAND) != 0) {
        (void)json_object_set_new(message->document, "subject",
                                  json_string(text_string(&message->subject)));
        (void)json_object_set_new(message->document, "text",
                                  json_string(text_string(&message->body)));
        (void)json_object_set_new(message->document, "host",
                                  record_string(pass->notices->host));
        if (run_command(pass, message->document) == STATUS_OK || !message->insist)
            done |= NOTICES_COMMAND;
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

struct delivery {
    struct pass *pass;
    const struct due *due;
    const json_t *claimed; /* the incident as it was taken on */
    int64_t done;
    bool failed;
};

static bool is_all(const struct pass *pass, int64_t done)
{
    return (notices_ways(pass->settings) & ~done) == 0;
}

/* Nothing could be handed over now. */
static bool is_idle(const struct pass *pass)
{
    return is_all(pass, away(pass));
}

static bool claim_notice(void *context, json_t *incident)
{
    const struct delivery *delivery = context;
    if (!notices_is_due(delivery->pass, incident))
        return false;
    return record_set_number(incident, "notice_claim_ms", delivery->pass->now_ms) &&
           record_set_number(incident, "notice_tries",
                             record_number(incident, "notice_tries") + 1);
}

/* All of it went: the claim ends. Else it stays, and says what is left. */
static bool confirm_notice(void *context, json_t *incident)
{
    const struct delivery *delivery = context;
    const struct pass *pass = delivery->pass;
    if (!is_all(pass, delivery->done))
        return record_set_number(incident, "notice_done", delivery->done);
    (void)json_object_del(incident, "notice_claim_ms");
    (void)json_object_del(incident, "notice_tries");
    (void)json_object_del(incident, "notice_done");
    return record_set_number(incident, "notified_ms", pass->now_ms) &&
           record_set_number(incident, "notified_total",
                             notices_count_all(delivery->claimed)) &&
           record_set_number(incident, "notified_held",
                             record_number(delivery->claimed, "held")) &&
           record_set_number(incident, "notices", record_number(incident, "notices") + 1);
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
    pass->status = error_set(pass->error, status,
                             status == STATUS_LIMIT ? "an incident's record is too long"
                                                    : "the store does not answer");
}

static enum status change(struct pass *pass, const struct due *due, ledger_change *how,
                          struct delivery *delivery, json_t **out)
{
    enum status status =
        ledger_change_incident(pass->notices->ledger, due->incident, how, delivery,
                               clock_deadline_us(NOTICES_STORE_MS), out);
    say_store(pass, status);
    return status;
}

void notices_notify(struct pass *pass, const struct due *due)
{
    json_t *incident = NULL;
    struct delivery delivery = {.pass = pass, .due = due};
    if (is_idle(pass) ||
        change(pass, due, claim_notice, &delivery, &incident) != STATUS_OK)
        return;
    const struct notice_facts facts = {incident, pass->settings, pass->notices->host,
                                       NULL};
    struct message message = {.document = make_document(incident),
                              .done = record_number(incident, "notice_done"),
                              .insist = record_number(incident, "notice_tries") <
                                        NOTICES_TRIES};
    notice_subject(&facts, &message.subject);
    notice_body(&facts, &message.body);
    delivery.done = hand_over(pass, &message);
    delivery.claimed = incident;
    (void)change(pass, due, confirm_notice, &delivery, NULL);
    message_clear(&message);
    json_decref(incident);
}

/* ---- a notice to a sender ---- */

/* Every try of one letter has the same token. */
static bool give_token(const struct pass *pass, json_t *notice)
{
    char token[CONFIRM_TOKEN_LENGTH + 1];
    if (!notices_is_confirmable(pass, notice) || record_text(notice, "token")[0] != '\0')
        return true;
    confirm_make_token(token);
    return json_object_set_new(notice, "token", json_string(token)) == 0;
}

static bool claim_sender_notice(void *context, json_t *incident)
{
    const struct delivery *delivery = context;
    json_t *notice = record_find_sender_notice(incident, delivery->due->to);
    if (notice == NULL || !notices_is_sender_due(delivery->pass, incident, notice) ||
        !give_token(delivery->pass, notice))
        return false;
    return record_set_number(notice, "claim_ms", wall_ms(delivery->pass)) &&
           record_set_number(notice, "tries", record_number(notice, "tries") + 1);
}

static bool confirm_sender_notice(void *context, json_t *incident)
{
    const struct delivery *delivery = context;
    json_t *notice = record_find_sender_notice(incident, delivery->due->to);
    if (notice == NULL)
        return false;
    (void)json_object_del(notice, "token"); /* whoever reads the store can't answer */
    if (delivery->failed)
        return json_object_set_new(notice, "failed", json_true()) == 0;
    return record_set_number(notice, "told_ms", wall_ms(delivery->pass)) &&
           json_object_set_new(incident, "sender_told", json_true()) == 0;
}

static enum status mail_held(struct pass *pass, const struct due *due,
                             const json_t *incident, const json_t *record)
{
    struct text body = {0};
    const char *to = due->to;
    const struct notice_facts facts = {incident, pass->settings, pass->notices->host,
                                       NULL};
    notice_sender_body(&facts, record, &body);
    const struct notice_mail mail = {.recipients = &to,
                                     .recipient_count = 1,
                                     .subject = "Your message is being held for review",
                                     .body = text_string(&body)};
    enum status status = body.failed ? STATUS_NOMEM : send_mail(pass, &mail);
    text_clear(&body);
    return status;
}

/* Where the letter is answered to: the address with the token as its tag. */
static void add_reply_to(const struct policy *policy, const char *token, struct text *out)
{
    const char *address = policy->confirm.address;
    size_t at = address_find_at(address, strlen(address));
    text_add(out, address, at);
    text_add(out, policy->domains.delimiters, 1);
    text_add_string(out, token);
    text_add_string(out, address + at);
}

static enum status mail_confirm(struct pass *pass, const struct due *due,
                                const json_t *incident, const json_t *record)
{
    struct text body = {0};
    struct text subject = {0};
    struct text reply_to = {0};
    const char *to = due->to;
    const struct notice_facts facts = {incident, pass->settings, pass->notices->host,
                                       NULL};
    const char *token = record_text(record, "token");
    char id[DIGEST_HEX_SIZE];
    add_reply_to(&pass->settings->policy, token, &reply_to);
    notice_confirm_subject(&facts, record, &subject);
    notice_confirm_body(&facts, record, &body);
    digest_hex(ledger_key(pass->notices->ledger), token, strlen(token), id);
    id[DIGEST_ID_SIZE - 1] = '\0';
    const struct notice_mail mail = {.recipients = &to,
                                     .recipient_count = 1,
                                     .subject = text_string(&subject),
                                     .reply_to = text_string(&reply_to),
                                     .id = id,
                                     .body = text_string(&body)};
    enum status status = body.failed || subject.failed || reply_to.failed
                             ? STATUS_NOMEM
                             : send_mail(pass, &mail);
    text_clear(&reply_to);
    text_clear(&subject);
    text_clear(&body);
    return status;
}

/* Without room for its token it is a letter like others. */
static enum status mail_sender(struct pass *pass, const struct due *due,
                               const json_t *incident, const json_t *record)
{
    const struct confirm_letter letter = {.token = record_text(record, "token"),
                                          .incident = due->incident,
                                          .to = due->to,
                                          .by = record_text(record, "confirmed_by"),
                                          .until_ms =
                                              record_number(record, "since") +
                                              pass->settings->policy.confirm.for_ms};
    if (!notices_is_confirmable(pass, record) || letter.token[0] == '\0')
        return mail_held(pass, due, incident, record);
    enum status status =
        confirm_keep(pass->notices->ledger, &letter, clock_deadline_us(NOTICES_STORE_MS));
    if (status == STATUS_LIMIT)
        return mail_held(pass, due, incident, record);
    if (status == STATUS_OK)
        return mail_confirm(pass, due, incident, record);
    say_store(pass, status);
    return status;
}

enum status notices_record_told(struct pass *pass, const struct due *due, bool failed)
{
    struct delivery delivery = {.pass = pass, .due = due, .failed = failed};
    return change(pass, due, confirm_sender_notice, &delivery, NULL);
}

/* 250 looks delivered: whoever sent it must know that it waits. */
void notices_tell_sender(struct pass *pass, const struct due *due)
{
    json_t *incident = NULL;
    struct delivery delivery = {.pass = pass, .due = due};
    if (pass->mail_away || notices_was_handed(pass->notices, due) ||
        change(pass, due, claim_sender_notice, &delivery, &incident) != STATUS_OK)
        return;
    const json_t *notice = record_find_sender_notice(incident, due->to);
    enum status status = mail_sender(pass, due, incident, notice);
    bool failed =
        status == STATUS_INVALID && record_number(notice, "tries") >= NOTICES_TRIES;
    if ((status == STATUS_OK || failed) &&
        notices_record_told(pass, due, failed) == STATUS_UNAVAILABLE)
        notices_note_handed(pass->notices, due);
    notices_note_time(pass, notice, pass->now_ms);
    json_decref(incident);
}

/* ---- an answer that did not let go everything ---- */

static enum status mail_answer(struct pass *pass, const struct notice_facts *facts,
                               const struct notices_answer *answer)
{
    struct text subject = {0};
    struct text body = {0};
    const char *to = answer->to;
    notice_answer_sender(facts, answer, &subject, &body);
    const struct notice_mail mail = {.recipients = &to,
                                     .recipient_count = 1,
                                     .subject = text_string(&subject),
                                     .body = text_string(&body)};
    enum status status =
        subject.failed || body.failed ? STATUS_NOMEM : send_mail(pass, &mail);
    text_clear(&subject);
    text_clear(&body);
    return status;
}

static int64_t notify_of_answer(struct pass *pass, const struct notice_facts *facts,
                                const struct notices_answer *answer, int64_t told)
{
    struct message message = {.document = make_document(facts->incident), .done = told};
    if (message.document != NULL) {
        (void)json_object_set_new(message.document, "event", json_string("confirmation"));
        (void)json_object_set_new(message.document, "not_released",
                                  json_string(answer->why));
    }
    notice_answer(facts, answer, &message.subject, &message.body);
    told = hand_over(pass, &message);
    message_clear(&message);
    return told;
}

/* Changes nothing. */
static bool copy(void *context, json_t *incident)
{
    *(json_t **)context = json_deep_copy(incident);
    return false;
}

enum status notices_send_answer(struct notices *notices, const struct settings *settings,
                                const struct notices_answer *answer, int64_t *told,
                                struct error *error)
{
    json_t *incident = NULL;
    struct pass pass = {.notices = notices,
                        .settings = settings,
                        .now_ms = clock_wall_ms(),
                        .begun_us = clock_monotonic_us(),
                        .deadline_us = clock_deadline_us(NOTICES_PASS_MS),
                        .error = error};
    enum status status =
        ledger_change_incident(notices->ledger, answer->incident, copy, &incident,
                               clock_deadline_us(NOTICES_STORE_MS), NULL);
    if (status != STATUS_NOT_FOUND && incident == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "the store does not answer");
    const struct notice_facts facts = {incident, settings, notices->host, NULL};
    int64_t ways = answer->over ? 0 : notices_ways(settings);
    if ((*told & NOTICES_SENDER) == 0 &&
        (answer->to[0] == '\0' ||
         mail_answer(&pass, &facts, answer) != STATUS_UNAVAILABLE))
        *told |= NOTICES_SENDER; /* what is refused is given up */
    if ((ways & ~*told) != 0)
        *told = notify_of_answer(&pass, &facts, answer, *told);
    if (((ways | NOTICES_SENDER) & ~*told) == 0)
        *told |= NOTICES_ANSWER_TOLD;
    json_decref(incident);
    return pass.status;
}

/* ---- the sum-up ---- */

static bool claim_sum(void *context, json_t *note)
{
    const struct delivery *delivery = context;
    const struct pass *pass = delivery->pass;
    int64_t interval_ms = pass->settings->notify.min_interval_ms;
    if (notices_is_within(record_number(note, "sum_claim_ms"), pass->now_ms,
                          NOTICES_LEASE_MS) ||
        notices_is_within(record_number(note, "summed_ms"), pass->now_ms, interval_ms))
        return false;
    return record_set_number(note, "sum_claim_ms", pass->now_ms);
}

static bool confirm_sum(void *context, json_t *note)
{
    const struct delivery *delivery = context;
    const struct pass *pass = delivery->pass;
    if (!is_all(pass, delivery->done))
        return record_set_number(note, "sum_done", delivery->done);
    (void)json_object_del(note, "sum_claim_ms");
    (void)json_object_del(note, "sum_done");
    return record_set_number(note, "summed_ms", pass->now_ms) &&
           (pass->holds.beyond == 0 ||
            record_set_number(note, "summed_holds_ms", pass->now_ms)) &&
           (pass->refusals.beyond == 0 ||
            record_set_number(note, "summed_refusals_ms", pass->now_ms));
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

static enum status change_note(struct pass *pass, ledger_change *how,
                               struct delivery *delivery)
{
    enum status status = ledger_change_note(pass->notices->ledger, how, delivery,
                                            clock_deadline_us(NOTICES_STORE_MS));
    say_store(pass, status);
    return status;
}

void notices_sum_up(struct pass *pass)
{
    if (pass->holds.beyond + pass->refusals.beyond == 0 || is_idle(pass))
        return;
    struct delivery delivery = {.pass = pass};
    if (change_note(pass, claim_sum, &delivery) != STATUS_OK)
        return;
    struct message message = {.done = record_number(pass->note, "sum_done"),
                              .insist = true};
    describe_sum(pass, &message);
    delivery.done = hand_over(pass, &message);
    (void)change_note(pass, confirm_sum, &delivery);
    message_clear(&message);
}

/* ---- lists that jumped ---- */

static json_t *jumps_json(const struct list_jumps *jumps)
{
    json_t *array = json_array();
    for (size_t i = 0; i < jumps->count; i++) {
        const struct list_jump *jump = &jumps->items[i];
        (void)json_array_append_new(array, json_pack("{s:o, s:I, s:I, s:s}", "address",
                                                     record_string(jump->address), "was",
                                                     (json_int_t)jump->was, "size",
                                                     (json_int_t)jump->size, "state",
                                                     jump->grown ? "grown" : "shrunk"));
    }
    return json_pack("{s:s, s:o}", "event", "lists", "lists", array);
}

enum status notices_send_jumps(struct notices *notices, const struct settings *settings,
                               const struct list_jumps *jumps, int64_t notified,
                               int64_t *out_notified, struct error *error)
{
    struct pass pass = {.notices = notices,
                        .settings = settings,
                        .now_ms = clock_wall_ms(),
                        .begun_us = clock_monotonic_us(),
                        .deadline_us = clock_deadline_us(NOTICES_PASS_MS),
                        .error = error};
    struct message message = {.document = jumps_json(jumps),
                              .done = notified,
                              .insist = notices->jump_tries < NOTICES_TRIES};
    notice_jumps_subject(jumps, &message.subject);
    notice_jumps_body(jumps, settings, notices->host, &message.body);
    *out_notified = hand_over(&pass, &message);
    notices->jump_tries = is_all(&pass, *out_notified) ? 0 : notices->jump_tries + 1;
    message_clear(&message);
    return pass.status;
}
