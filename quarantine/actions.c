/* What deciding, syncing and pulling back have in common, and a look ahead. */
#include "quarantine/actions.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/record.h"

const struct actions_states actions_states[] = {
    [ACTIONS_RELEASE] = {"release", "releasing", "released"},
    [ACTIONS_REFUSE] = {"refuse", "refusing", "refused"},
    [ACTIONS_DELETE] = {"delete", "deleting", "deleted"},
};

const char *actions_verb_name(enum actions_verb verb)
{
    return actions_states[verb].verb;
}

const char *actions_state_after(const char *during)
{
    for (size_t i = 0; i < sizeof actions_states / sizeof actions_states[0]; i++) {
        if (strcmp(during, actions_states[i].during) == 0)
            return actions_states[i].after;
    }
    return NULL;
}

struct actions *actions_new(struct ledger *ledger, const struct digest_key *token_key,
                            const char *host)
{
    struct actions *actions = calloc(1, sizeof *actions);
    if (actions == NULL)
        return NULL;
    actions->ledger = ledger;
    actions->token_key = *token_key;
    atomic_init(&actions->names, ACTIONS_NAMES_OWN);
    actions->host = strdup(host);
    if (actions->host == NULL || pthread_mutex_init(&actions->deciding, NULL) != 0) {
        free(actions->host);
        free(actions);
        return NULL;
    }
    return actions;
}

void actions_free(struct actions *actions)
{
    if (actions == NULL)
        return;
    (void)pthread_mutex_destroy(&actions->deciding);
    free(actions->host);
    free(actions);
}

void actions_set_names(struct actions *actions, enum actions_names names)
{
    atomic_store(&actions->names, names);
}

enum actions_names actions_names(const struct actions *actions)
{
    return atomic_load(&actions->names);
}

void actions_tell(const struct actions_progress *progress, size_t done, size_t total)
{
    if (progress != NULL && progress->tell != NULL)
        progress->tell(progress->context, done, total);
}

enum status actions_say_store(struct error *error, enum status status)
{
    return error_set(error, status,
                     status == STATUS_NOMEM ? "out of memory"
                     : status == STATUS_LIMIT
                         ? "the store did not give all of them in time"
                         : "the store does not answer");
}

enum status actions_check(const struct actions *actions, const json_t *hold,
                          struct error *error)
{
    const char *id = record_text(hold, "id");
    const char *host = record_text(hold, "host");
    const char *state = record_text(hold, "state");
    if (actions_state_after(state) != NULL)
        return error_set(error, STATUS_CONFLICT,
                         "%s is being decided by somebody else (%s)", id, state);
    if (strcmp(state, "gone") == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s: the message is not in the queue any more", id);
    if (strcmp(state, "held") != 0)
        return error_set(error, STATUS_CONFLICT, "%s was already %s", id, state);
    if (strcmp(host, actions->host) != 0)
        return error_set(error, STATUS_CONFLICT, "%s is held on %s: run it there", id,
                         host);
    if (record_text(hold, "queue_id")[0] == '\0')
        return error_set(error, STATUS_CONFLICT,
                         "%s: its queue id is not known; `mailbrake quarantine sync` "
                         "finds it",
                         id);
    return STATUS_OK;
}

void actions_check_result(const struct actions *actions, enum actions_verb verb,
                          const json_t *hold, struct actions_result *result)
{
    const char *state = record_text(hold, "state");
    result->status = actions_check(actions, hold, &result->error);
    for (size_t i = 0; i < sizeof actions_states / sizeof actions_states[0]; i++)
        result->decided = result->decided || strcmp(state, actions_states[i].after) == 0;
    result->same = strcmp(state, actions_states[verb].after) == 0;
}

bool actions_is_recalled(const json_t *hold)
{
    return json_is_true(json_object_get(hold, "pulled"));
}

void actions_sync_clear(struct actions_sync *result)
{
    json_decref(result->failures);
    *result = (struct actions_sync){0};
}

/* The id in our hold header. What a brake pulled back has none, since it was accepted
 * before: then its time of arrival, or its sender. */
void actions_make_check(const json_t *hold, char out[ACTIONS_CHECK_SIZE])
{
    long long arrived_s = record_number(hold, "arrived_s");
    if (!actions_is_recalled(hold))
        (void)snprintf(out, ACTIONS_CHECK_SIZE, "hold_id=%s", record_text(hold, "id"));
    else if (arrived_s > 0)
        (void)snprintf(out, ACTIONS_CHECK_SIZE, "arrived=%lld", arrived_s);
    else
        (void)snprintf(out, ACTIONS_CHECK_SIZE, "sender=%s", record_text(hold, "sender"));
}

/* ---- looking ---- */

enum status actions_content(struct actions *actions, const struct settings *settings,
                            const json_t *hold, struct text *out, struct error *error)
{
    char check[ACTIONS_CHECK_SIZE];
    struct error why = {0};
    enum status status = actions_check(actions, hold, error);
    if (status != STATUS_OK)
        return status;
    actions_make_check(hold, check);
    status = helper_content(settings->mta.helper, ACTIONS_HELPER_MS,
                            record_text(hold, "queue_id"), check,
                            settings->mta.content == CONTENT_TEXT, out, &why);
    return status == STATUS_OK
               ? status
               : error_set(error, status, "%s: %s", record_text(hold, "id"), why.text);
}

enum status actions_foresee(struct actions *actions, const struct settings *settings,
                            const json_t *hold, bool *out_possible, struct text *out)
{
    struct error error = {0};
    struct helper_order order = {.queue_id = record_text(hold, "queue_id")};
    int64_t reach = record_number(hold, "reach");
    enum status status = actions_check(actions, hold, &error);
    if (status == STATUS_OK)
        status = helper_do(settings->mta.helper, clock_deadline_us(ACTIONS_HELPER_MS),
                           "header", &order, 1, NULL, &error);
    if (status == STATUS_OK && order.status == STATUS_NOT_FOUND)
        status =
            error_set(&error, order.status, "the message is not in the queue any more");
    else if (status == STATUS_OK && order.status != STATUS_OK)
        status = error_set(&error, order.status, "%s", order.error.text);
    else if (status == STATUS_OK && !actions_is_recalled(hold) &&
             strstr(order.value, record_text(hold, "id")) == NULL)
        status = error_set(&error, STATUS_NOT_FOUND,
                           "%s is now another message: this one is gone", order.queue_id);
    free(order.value);
    *out_possible = status == STATUS_OK;
    if (status == STATUS_OK) {
        text_printf(out, "%s on %s delivers it at once, to ",
                    settings->mta.type == MTA_SENDMAIL ? "Sendmail" : "Postfix",
                    actions->host);
        if (reach > 0)
            text_printf(out, "%lld mailbox%s", (long long)reach, reach == 1 ? "" : "es");
        else
            text_add_string(out, "those who have not received it yet");
        text_add_string(out, "; no limit is charged, and it can't be undone");
    } else {
        text_printf(out, "nothing: %s", error.text);
    }
    return out->failed ? STATUS_NOMEM : STATUS_OK;
}
