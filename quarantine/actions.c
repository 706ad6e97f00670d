/* Release, refuse, delete: the record is moved first, so that only one goes on to the
 * helper, and moved again when the helper has answered. Whoever dies between the two
 * leaves "releasing" behind, which actions_sync ends. */
#include "quarantine/actions.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/record.h"
#include "quarantine/refusal.h"

enum { CHECK_SIZE = 1100 };

static const struct {
    const char *name, *during, *after;
} verbs[] = {
    [ACTIONS_RELEASE] = {"release", "releasing", "released"},
    [ACTIONS_REFUSE] = {"refuse", "refusing", "refused"},
    [ACTIONS_DELETE] = {"delete", "deleting", "deleted"},
};

struct actions *actions_new(struct ledger *ledger, const struct digest_key *seal_key,
                            const char *host)
{
    struct actions *actions = calloc(1, sizeof *actions);
    if (actions == NULL)
        return NULL;
    actions->ledger = ledger;
    actions->seal_key = *seal_key;
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

const char *actions_verb_name(enum actions_verb verb)
{
    return verbs[verb].name;
}

int64_t actions_deadline_us(void)
{
    return clock_monotonic_us() + ACTIONS_STORE_MS * INT64_C(1000);
}

const char *actions_state_after(const char *during)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(during, verbs[i].during) == 0)
            return verbs[i].after;
    }
    return NULL;
}

static enum status say_store(struct error *error, enum status status)
{
    return error_set(error, status,
                     status == STATUS_NOMEM ? "out of memory"
                                            : "the store does not answer");
}

static enum status find(struct actions *actions, const char *id, json_t **out,
                        struct error *error)
{
    enum status status =
        ledger_find_hold(actions->ledger, id, actions_deadline_us(), out);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "there is no held message %.64s", id);
    return status == STATUS_OK ? status : say_store(error, status);
}

/* What is wrong with deciding about this one here and now; OK when nothing is. */
static enum status check(const struct actions *actions, const json_t *hold,
                         struct error *error)
{
    const char *id = record_text(hold, "id");
    const char *host = record_text(hold, "host");
    const char *state = record_text(hold, "state");
    if (strcmp(host, actions->host) != 0)
        return error_set(error, STATUS_CONFLICT, "%s is held on %s: run it there", id,
                         host);
    if (actions_state_after(state) != NULL)
        return error_set(error, STATUS_CONFLICT,
                         "%s is being decided by somebody else (%s)", id, state);
    if (strcmp(state, "gone") == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s: the message is not in the queue any more", id);
    if (strcmp(state, "held") != 0)
        return error_set(error, STATUS_CONFLICT, "%s was already %s", id, state);
    if (record_text(hold, "queue_id")[0] == '\0')
        return error_set(error, STATUS_CONFLICT,
                         "%s: its queue id is not known; `mailbrake quarantine sync` "
                         "finds it",
                         id);
    return STATUS_OK;
}

/* A message that bears our mark is asked for by it. What a brake pulled back got no mark,
 * since it was accepted already: that is asked for by its sender. */
static enum status order(struct actions *actions, const struct settings *settings,
                         enum actions_verb verb, const struct actions_target *target,
                         struct error *error)
{
    const json_t *hold = target->hold;
    const char *helper = settings->mta.helper;
    const char *queue_id = record_text(hold, "queue_id");
    enum status status;
    if (verb != ACTIONS_REFUSE)
        return helper_order(helper, ACTIONS_HELPER_MS, verbs[verb].name, queue_id,
                            target->check, error);
    struct refusal refusal = {0};
    status = refusal_make(hold, &actions->seal_key, &settings->policy.domains,
                          clock_wall_ms(), &refusal);
    if (status == STATUS_OK)
        status = helper_refuse(helper, ACTIONS_HELPER_MS, queue_id, target->check,
                               text_string(&refusal.address),
                               text_string(&refusal.message), error);
    else
        (void)error_set(error, status, "out of memory");
    refusal_clear(&refusal);
    return status;
}

bool actions_is_pulled(const json_t *hold)
{
    return json_is_true(json_object_get(hold, "pulled"));
}

/* Writes down how the helper's order went. */
static enum status conclude(struct actions *actions, const char *id,
                            enum actions_verb verb, enum status ordered,
                            struct error *error)
{
    bool own = actions_names(actions) == ACTIONS_NAMES_OWN;
    const char *to = ordered == STATUS_OK                 ? verbs[verb].after
                     : ordered == STATUS_NOT_FOUND && own ? "gone"
                                                          : "held";
    enum status status =
        ledger_move(actions->ledger, id, verbs[verb].during, to, actions_deadline_us());
    if (ordered == STATUS_NOT_FOUND && !own)
        return error_set(error, STATUS_CONFLICT,
                         "%s is not in this queue; another relay may be called %s, too: "
                         "run it there",
                         id, actions->host);
    if (ordered == STATUS_NOT_FOUND)
        return error_set(error, ordered, "%s: the message is not in the queue any more",
                         id);
    if (ordered != STATUS_OK)
        return ordered;
    if (status != STATUS_OK)
        return error_set(error, STATUS_UNAVAILABLE,
                         "%s is %s, but the store did not take it down: `mailbrake "
                         "quarantine sync` will",
                         id, verbs[verb].after);
    return STATUS_OK;
}

/* Without the store the lesson is lost: the next run like it may be held again. */
static void teach(struct actions *actions, const struct settings *settings,
                  const json_t *hold)
{
    if (ledger_teach(actions->ledger, &settings->policy, hold, actions_deadline_us()) !=
        STATUS_OK)
        return;
}

/* Under the lock. */
static enum status decide(struct actions *actions, const struct settings *settings,
                          enum actions_verb verb, json_t *hold, struct error *error)
{
    char check_text[CHECK_SIZE];
    const char *id = record_text(hold, "id");
    enum status status = check(actions, hold, error);
    if (status != STATUS_OK)
        return status;
    status = ledger_move(actions->ledger, id, "held", verbs[verb].during,
                         actions_deadline_us());
    if (status == STATUS_CONFLICT) {
        json_t *fresh = NULL;
        status = find(actions, id, &fresh, error);
        if (status == STATUS_OK)
            status = check(actions, fresh, error);
        json_decref(fresh);
        return status == STATUS_OK
                   ? error_set(error, STATUS_CONFLICT, "%s: somebody else changed it", id)
                   : status;
    }
    if (status != STATUS_OK)
        return say_store(error, status);
    (void)snprintf(check_text, sizeof check_text, "%s=%s",
                   actions_is_pulled(hold) ? "sender" : "mark",
                   actions_is_pulled(hold) ? record_text(hold, "sender") : id);
    const struct actions_target target = {.hold = hold, .check = check_text};
    enum status ordered = order(actions, settings, verb, &target, error);
    if (ordered == STATUS_OK && verb == ACTIONS_RELEASE)
        teach(actions, settings, hold);
    return conclude(actions, id, verb, ordered, error);
}

enum status actions_decide(struct actions *actions, const struct settings *settings,
                           enum actions_verb verb, const char *id, struct error *error)
{
    json_t *hold = NULL;
    *error = (struct error){0};
    enum status status = find(actions, id, &hold, error);
    if (status != STATUS_OK)
        return status;
    (void)pthread_mutex_lock(&actions->deciding);
    status = decide(actions, settings, verb, hold, error);
    (void)pthread_mutex_unlock(&actions->deciding);
    json_decref(hold);
    return status;
}

/* ---- looking ahead ---- */

static const char *mta_name(const struct settings *settings)
{
    return settings->mta.type == MTA_SENDMAIL ? "Sendmail" : "Postfix";
}

enum status actions_foresee(struct actions *actions, const struct settings *settings,
                            const json_t *hold, bool *out_possible, struct text *out)
{
    struct error error = {0};
    char *marks = NULL;
    const char *queue_id = record_text(hold, "queue_id");
    int64_t reach = record_number(hold, "reach");
    enum status status = check(actions, hold, &error);
    if (status == STATUS_OK) {
        status = helper_header(settings->mta.helper, ACTIONS_HELPER_MS, queue_id, &marks,
                               &error);
        if (status == STATUS_OK && !actions_is_pulled(hold) &&
            strstr(marks, record_text(hold, "id")) == NULL)
            status =
                error_set(&error, STATUS_NOT_FOUND,
                          "%s is another message by now: this one is gone", queue_id);
        else if (status == STATUS_NOT_FOUND)
            (void)error_set(&error, status, "the message is not in the queue any more");
    }
    free(marks);
    *out_possible = status == STATUS_OK;
    if (status == STATUS_OK && reach > 0)
        text_printf(out,
                    "%s on %s delivers it at once, to %lld mailbox%s; no limit is "
                    "charged, and it can't be undone",
                    mta_name(settings), actions->host, (long long)reach,
                    reach == 1 ? "" : "es");
    else if (status == STATUS_OK)
        text_printf(out,
                    "%s on %s delivers it at once, to whoever has not got it yet; no "
                    "limit is charged, and it can't be undone",
                    mta_name(settings), actions->host);
    else
        text_printf(out, "nothing: %s", error.text);
    return out->failed ? STATUS_NOMEM : STATUS_OK;
}
