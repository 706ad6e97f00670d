/* What nobody decided about in time is refused, oldest first. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/ledger_list.h"
#include "quarantine/terms.h"

/* So many are decided about together: they may make one notice to a sender. */
enum { EXPIRED_AT_ONCE = 5000 };

struct expiry {
    struct actions *actions;
    const struct settings *settings;
    int64_t deadline_us;
    void (*refused)(const char *id);
    char (*ids)[DIGEST_ID_SIZE];
    size_t count;         /* in ids */
    size_t refused_count; /* in all */
    size_t left;          /* that were tried in vain */
};

static enum status gather(void *context, const char *entry, const char *text,
                          const json_t *record)
{
    struct expiry *expiry = context;
    (void)text;
    (void)record;
    if (expiry->count == EXPIRED_AT_ONCE)
        return STATUS_CONFLICT; /* it is for the next time */
    (void)snprintf(expiry->ids[expiry->count++], DIGEST_ID_SIZE, "%s", scan_id(entry));
    return STATUS_OK;
}

/* The error is of the first that could not be refused. */
static enum status refuse_all(struct expiry *expiry, struct error *error)
{
    const char **ids = calloc(expiry->count + 1, sizeof *ids);
    struct actions_result *results = calloc(expiry->count + 1, sizeof *results);
    enum status status = ids == NULL || results == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < expiry->count && status == STATUS_OK; i++)
        ids[i] = expiry->ids[i];
    if (status == STATUS_OK)
        actions_decide_many(expiry->actions, expiry->settings, ACTIONS_REFUSE, ids,
                            expiry->count, expiry->deadline_us, NULL, results);
    for (size_t i = 0; i < expiry->count && status == STATUS_OK; i++) {
        if (results[i].status == STATUS_OK)
            expiry->refused(ids[i]);
        else if (expiry->left++ == 0)
            *error = results[i].error;
        expiry->refused_count += results[i].status == STATUS_OK;
    }
    free(results);
    free(ids);
    return status;
}

/* One round. What was tried in vain is behind it. */
static enum status refuse_next(struct expiry *expiry, struct scan *scan,
                               struct error *error)
{
    struct scan before = *scan;
    expiry->count = 0;
    enum status status =
        ledger_scan(expiry->actions->ledger, scan, expiry->deadline_us, gather, expiry);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        return status;
    status = refuse_all(expiry, error);
    if (status == STATUS_OK && clock_left_ms(expiry->deadline_us) == 0 &&
        expiry->left > 0)
        *scan = before; /* not all of them were tried */
    return status;
}

enum status actions_expire(struct actions *actions, const struct settings *settings,
                           int64_t deadline_us, void (*refused)(const char *id),
                           size_t *out_left, struct error *error)
{
    char term[TERMS_SIZE], until[TERMS_SIZE];
    struct expiry expiry = {.actions = actions,
                            .settings = settings,
                            .deadline_us = deadline_us,
                            .refused = refused,
                            .ids = calloc(EXPIRED_AT_ONCE, sizeof *expiry.ids)};
    struct scan *scan = &actions->expire;
    enum status status = expiry.ids == NULL ? STATUS_NOMEM : STATUS_OK;
    terms_of_host(actions->host, term);
    terms_until(term, clock_wall_ms() - settings->quarantine.expire_ms, until);
    if (scan->next[0] == '\0' || scan->done)
        scan_set(scan, COLLECTION_HOLDS, term, until);
    scan->bare = true;
    while (status == STATUS_OK && !scan->done && clock_left_ms(deadline_us) > 0)
        status = refuse_next(&expiry, scan, error);
    free(expiry.ids);
    *out_left = expiry.left;
    if (status == STATUS_LIMIT || (status == STATUS_OK && !scan->done))
        return error_set(error, STATUS_LIMIT,
                         "%zu were refused before the deadline, %zu could not be; the "
                         "next pass goes on from there",
                         expiry.refused_count, expiry.left);
    return status == STATUS_OK ? status : actions_say_store(error, status);
}
