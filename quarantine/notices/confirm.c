/* A token is found by its keyed hash; whoever reads the store can't answer by that. It is
 * used up at the same instant at which what it confirms is written down, so of two
 * answers on two relays one counts, and a relay that stops in between loses nothing. */
#include "quarantine/notices/confirm.h"

#include <stdlib.h>
#include <string.h>

#include "quarantine/ledger_parts.h"
#include "store/store.h"

void confirm_make_token(char out[CONFIRM_TOKEN_LENGTH + 1])
{
    _Static_assert(CONFIRM_TOKEN_LENGTH + 1 == DIGEST_ID_SIZE, "a token is an id");
    digest_random_id(out);
}

static void hash_token(const struct ledger *ledger, const char *token,
                       char out[DIGEST_HEX_SIZE])
{
    digest_hex(&ledger->key, token, strlen(token), out);
}

/* Takes the record over; LIMIT when there is no room. */
static enum status write(struct ledger *ledger, struct change *changes, size_t count,
                         json_t *record, int64_t deadline_us)
{
    char *text = record == NULL ? NULL : json_dumps(record, JSON_COMPACT);
    changes[0].value = text;
    enum status status = text == NULL
                             ? STATUS_NOMEM
                             : store_change(ledger->store, changes, count, deadline_us);
    free(text);
    json_decref(record);
    return status;
}

/* A store in memory is on disk before a letter is out, and before an answer is taken. */
static void save(struct ledger *ledger)
{
    struct error error;
    if (store_save(ledger->store, &error) != STATUS_OK)
        return; /* the store reports it when its minute comes */
}

enum status confirm_keep(struct ledger *ledger, const struct confirm_letter *letter,
                         int64_t deadline_us)
{
    char id[DIGEST_HEX_SIZE];
    hash_token(ledger, letter->token, id);
    struct change change = {
        .collection = COLLECTION_CONFIRM_TOKENS, .id = id, .check = true};
    json_t *record = json_pack("{s:s, s:s, s:s, s:I, s:b}", "incident", letter->incident,
                               "to", letter->to, "by", letter->by, "until",
                               (json_int_t)letter->until_ms, "used", 0);
    enum status status = write(ledger, &change, 1, record, deadline_us);
    if (status == STATUS_OK)
        save(ledger);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* kept by an earlier try */
}

/* ---- an answer ---- */

/* Why it does not count, as far as the token can say; NULL. */
static const char *fault_of_token(const json_t *token,
                                  const struct confirm_answer *answer)
{
    if (answer->by == NULL)
        return "neither a login nor a trusted sender sent it";
    if (strcmp(record_text(token, "by"), answer->by) != 0)
        return "somebody else was asked";
    if (answer->automatic)
        return "a program wrote it";
    if (json_is_true(json_object_get(token, "used")))
        return "the letter was answered before";
    if (answer->now_ms >= record_number(token, "until"))
        return "the letter is too old";
    return NULL;
}

/* An administrator may have changed his mind; a rule whose numbers he changed still asks.
 */
static bool is_asking(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (strcmp(policy->rules[i].name, name) == 0)
            return policy->rules[i].action == ACTION_CONFIRM;
    return false;
}

/* What other senders have in it is no reason; how many people his own reaches is counted
 * before it is released. */
static const char *fault_of_incident(const json_t *incident,
                                     const struct confirm_answer *answer)
{
    bool shared = json_object_size(json_object_get(incident, "parties")) > 1;
    if (record_waiting(incident) == 0)
        return "nothing of it is held any more";
    if (!is_asking(answer->policy, record_text(incident, "rule")))
        return "its rule does not let senders confirm any more";
    if (!shared && record_number(incident, "reach") > answer->policy->confirm.max_reach)
        return "it reaches more people than confirm.max_reach";
    return NULL;
}

static enum status use(struct ledger *ledger, const struct confirm_answer *answer,
                       const char *id, const char *expected, json_t *token,
                       int64_t deadline_us)
{
    json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:{}}", "incident",
                               record_text(token, "incident"), "by", answer->by, "to",
                               record_text(token, "to"), "shown", answer->shown, "host",
                               answer->host, "at", (json_int_t)answer->now_ms, "done");
    char *confirmed = record == NULL ? NULL : json_dumps(record, JSON_COMPACT);
    json_decref(record);
    struct change changes[] = {{.collection = COLLECTION_CONFIRM_TOKENS,
                                .id = id,
                                .check = true,
                                .expected = expected},
                               {.collection = COLLECTION_CONFIRMED,
                                .id = id,
                                .check = true,
                                .value = confirmed}};
    enum status status = STATUS_NOMEM;
    if (confirmed != NULL && json_object_set_new(token, "used", json_true()) == 0)
        status = write(ledger, changes, 2, json_incref(token), deadline_us);
    free(confirmed);
    if (status == STATUS_OK)
        save(ledger);
    return status;
}

/* CONFLICT: another answer was faster, or another try of this one. */
static enum status try_token(struct ledger *ledger, const struct confirm_answer *answer,
                             const char *id, int64_t deadline_us,
                             char out_incident[DIGEST_ID_SIZE], const char **out_why)
{
    char *text = NULL;
    struct ledger_document incident = {0};
    enum status status =
        store_get(ledger->store, COLLECTION_CONFIRM_TOKENS, id, deadline_us, &text);
    json_t *token = status == STATUS_OK ? record_load(text) : NULL;
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && token == NULL)) {
        *out_why = "no letter has this token";
        status = STATUS_INVALID;
    } else if (status == STATUS_OK) {
        (void)snprintf(out_incident, DIGEST_ID_SIZE, "%s",
                       record_text(token, "incident"));
        *out_why = fault_of_token(token, answer);
        status = *out_why == NULL
                     ? ledger_read_sound(ledger, COLLECTION_INCIDENTS, out_incident,
                                         deadline_us, &incident)
                     : STATUS_INVALID;
    }
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *out_why = fault_of_incident(incident.record, answer);
        status = *out_why == NULL ? use(ledger, answer, id, text, token, deadline_us)
                                  : STATUS_INVALID;
    }
    ledger_document_clear(&incident);
    json_decref(token);
    free(text);
    return status;
}

enum status confirm_take(struct ledger *ledger, const struct confirm_answer *answer,
                         int64_t deadline_us, char out_incident[DIGEST_ID_SIZE],
                         const char **out_why)
{
    char id[DIGEST_HEX_SIZE];
    enum status status = STATUS_CONFLICT;
    hash_token(ledger, answer->token, id);
    out_incident[0] = '\0';
    while (status == STATUS_CONFLICT)
        status = try_token(ledger, answer, id, deadline_us, out_incident, out_why);
    return status;
}

/* ---- what was confirmed ---- */

struct listing {
    struct ledger *ledger;
    enum collection collection;
    const char *time; /* the field that says how old it is */
    int64_t before_ms, deadline_us;
    store_each *each;
    void *context;
};

static enum status list_one(void *context, const char *id, const char *value)
{
    const struct listing *listing = context;
    json_t *record = record_load(value);
    bool old = record_number(record, listing->time) < listing->before_ms;
    const struct change change = {
        .collection = listing->collection, .id = id, .check = true, .expected = value};
    json_decref(record);
    if (!old)
        return listing->each == NULL ? STATUS_OK
                                     : listing->each(listing->context, id, value);
    enum status status =
        store_change(listing->ledger->store, &change, 1, listing->deadline_us);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

enum status confirm_list(struct ledger *ledger, int64_t now_ms, int64_t deadline_us,
                         store_each *each, void *context)
{
    struct listing listing = {.ledger = ledger,
                              .collection = COLLECTION_CONFIRMED,
                              .time = "at",
                              .before_ms = now_ms - CONFIRM_KEPT_MS,
                              .deadline_us = deadline_us,
                              .each = each,
                              .context = context};
    return store_list(ledger->store, COLLECTION_CONFIRMED, deadline_us, list_one,
                      &listing);
}

enum status confirm_change(struct ledger *ledger, const char *id, ledger_change *change,
                           void *context, int64_t deadline_us)
{
    enum status status = STATUS_CONFLICT;
    bool wanted = true;
    while (status == STATUS_CONFLICT && wanted) {
        char *text = NULL;
        status = store_get(ledger->store, COLLECTION_CONFIRMED, id, deadline_us, &text);
        if (status != STATUS_OK)
            return status;
        json_t *record = record_load(text);
        struct change changed = {.collection = COLLECTION_CONFIRMED,
                                 .id = id,
                                 .check = true,
                                 .expected = text};
        wanted = record != NULL && change(context, record);
        status = wanted ? write(ledger, &changed, 1, json_incref(record), deadline_us)
                        : STATUS_CONFLICT;
        json_decref(record);
        free(text);
    }
    if (status == STATUS_OK)
        save(ledger);
    return status;
}

enum status confirm_prune(struct ledger *ledger, int64_t now_ms, int64_t retention_ms,
                          int64_t deadline_us)
{
    struct listing listing = {.ledger = ledger,
                              .collection = COLLECTION_CONFIRM_TOKENS,
                              .time = "until",
                              .before_ms = now_ms - retention_ms,
                              .deadline_us = deadline_us};
    return store_list(ledger->store, COLLECTION_CONFIRM_TOKENS, deadline_us, list_one,
                      &listing);
}
