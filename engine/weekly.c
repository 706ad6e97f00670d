/* The record of notices that belong to no incident (quarantine/notices_deliver.c) also
 * has report_ms, when the last reported week ended, and report_claim_ms, since when a
 * relay is writing the next report. */
#include "engine/weekly.h"

#include "base/clock.h"
#include "engine/report.h"
#include "quarantine/helper.h"
#include "quarantine/ledger_incident.h"
#include "quarantine/notices/notice_mail.h"
#include "quarantine/record.h"

enum { STORE_MS = 5000, REPORT_MS = 60000, HELPER_MS = 20000, LEASE_MS = 10 * 60 * 1000 };

static const int64_t week_ms = INT64_C(7) * 86400 * 1000;

struct claim {
    int64_t now_ms, from_ms;
    bool due;
};

/* False when there is nothing to write. */
static bool claim(void *context, json_t *note)
{
    struct claim *claim = context;
    int64_t from_ms = record_number(note, "report_ms");
    int64_t claimed_ms = record_number(note, "report_claim_ms");
    claim->due = false;
    if (from_ms == 0)
        return record_set_number(note, "report_ms", claim->now_ms);
    if (claim->now_ms - from_ms < week_ms || claim->now_ms - claimed_ms < LEASE_MS)
        return false;
    claim->from_ms = from_ms;
    claim->due = true;
    return record_set_number(note, "report_claim_ms", claim->now_ms);
}

/* The next one is due at the same hour of the week, unless weeks were missed. */
static bool confirm(void *context, json_t *note)
{
    const struct claim *claim = context;
    int64_t next_ms = claim->from_ms + week_ms;
    (void)json_object_del(note, "report_claim_ms");
    return record_set_number(note, "report_ms",
                             claim->now_ms - next_ms < week_ms ? next_ms : claim->now_ms);
}

static enum status mail(const struct weekly_args *args, const json_t *report,
                        struct error *error)
{
    struct text body = {0};
    struct text message = {0};
    struct text addresses = {0};
    const struct settings *settings = args->settings;
    size_t count = settings->notify.to_count;
    report_write(report, &body);
    text_add_string(&body, "\nOn a relay, `mailbrake report` shows this again, and "
                           "`mailbrake incidents --would`\nwhat rules in mode monitor "
                           "would have stopped.\n");
    const struct notice_mail notice = {
        .recipients = (const char *const *)settings->notify.to,
        .recipient_count =
            count > NOTICE_MAIL_RECIPIENTS_MAX ? NOTICE_MAIL_RECIPIENTS_MAX : count,
        .subject = "Mailbrake: what was stopped last week",
        .body = text_string(&body),
    };
    enum status status =
        body.failed
            ? STATUS_NOMEM
            : notice_mail_make(&notice, args->token_key, &settings->policy.domains,
                               args->now_ms, &message, &addresses);
    if (status == STATUS_OK)
        status = helper_notice(settings->mta.helper, HELPER_MS, text_string(&addresses),
                               text_string(&message), error);
    else
        (void)error_set(error, status, "out of memory for the report");
    text_clear(&body);
    text_clear(&message);
    text_clear(&addresses);
    return status;
}

enum status weekly_send(const struct weekly_args *args, struct error *error)
{
    struct claim claimed = {.now_ms = args->now_ms};
    json_t *report = NULL;
    if (!args->settings->notify.weekly || args->settings->notify.to_count == 0)
        return STATUS_OK;
    enum status status =
        ledger_change_note(args->ledger, claim, &claimed, clock_deadline_us(STORE_MS));
    if (status == STATUS_CONFLICT || (status == STATUS_OK && !claimed.due))
        return STATUS_OK;
    if (status == STATUS_OK)
        status = report_make(args->ledger, args->store, args->now_ms - week_ms,
                             clock_deadline_us(REPORT_MS), &report);
    if (status != STATUS_OK)
        return error_set(error, status, "the store does not answer");
    status = mail(args, report, error);
    json_decref(report);
    if (status == STATUS_OK)
        (void)!ledger_change_note(args->ledger, confirm, &claimed,
                                  clock_deadline_us(STORE_MS));
    return status;
}
