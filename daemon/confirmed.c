/* People are counted by the digests that are kept with held messages: equal ones are the
 * same people. Only when those are too many together, they are told apart: this relay's
 * by its queue, others' as far as their digests say who they are; of the rest nobody is
 * taken to be one of the others. */
#include "daemon/confirmed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/audience.h"
#include "quarantine/actions_audience.h"
#include "quarantine/actions_release.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"

enum { STORE_MS = 5000, LIST_MS = 60000 };

/* ---- what is held of it ---- */

static bool is_part(const struct confirmed *confirmed, const json_t *hold)
{
    const json_t *record = confirmed->record;
    int64_t until_ms = record_number(record, "prepared_at");
    return strcmp(record_text(hold, "confirmed_by"), record_text(record, "by")) == 0 &&
           strcmp(record_text(hold, "state"), "held") == 0 &&
           (until_ms == 0 || record_parse_time(record_text(hold, "held_at")) <= until_ms);
}

static bool is_here(const struct confirmed *confirmed, const json_t *hold)
{
    return strcmp(record_text(hold, "host"), confirmed->host) == 0;
}

static void enter(struct confirmed *confirmed, json_t *hold)
{
    int64_t copies = record_number(hold, "copies");
    int64_t reach = record_number(hold, "reach");
    if (!is_part(confirmed, hold))
        return;
    confirmed->copies += copies > reach ? copies : reach;
    (void)json_array_append(confirmed->holds, hold);
    if (is_here(confirmed, hold))
        (void)json_array_append(confirmed->ids, json_object_get(hold, "id"));
}

enum status confirmed_find(struct confirmed *confirmed)
{
    struct ledger *ledger = confirmed->engine->ledger;
    struct ledger_list *list = NULL;
    const char *incident = record_text(confirmed->record, "incident");
    confirmed->holds = json_array();
    confirmed->ids = json_array();
    if (confirmed->holds == NULL || confirmed->ids == NULL)
        return STATUS_NOMEM;
    enum status status =
        ledger_list_holds(ledger, false, incident, clock_deadline_us(LIST_MS), &list);
    while (status == STATUS_OK) {
        json_t *hold = NULL;
        status = ledger_list_next(list, clock_deadline_us(STORE_MS), &hold);
        if (status == STATUS_OK)
            enter(confirmed, hold);
        json_decref(hold);
    }
    ledger_list_free(list);
    return status == STATUS_NOT_FOUND
               ? ledger_find_incident(ledger, incident, clock_deadline_us(STORE_MS),
                                      &confirmed->incident)
               : status;
}

void confirmed_clear(struct confirmed *confirmed)
{
    json_decref(confirmed->ids);
    json_decref(confirmed->holds);
    json_decref(confirmed->incident);
    json_decref(confirmed->record);
    confirmed->ids = confirmed->holds = confirmed->incident = confirmed->record = NULL;
}

/* ---- brakes ---- */

/* The first recipients and lists are kept with a hold: as many as that. */
static size_t take_recipients(const json_t *hold, struct envelope_recipient *out)
{
    static const char *const fields[] = {"addressed", "lists"};
    size_t count = 0;
    for (size_t f = 0; f < 2; f++) {
        size_t i;
        const json_t *address;
        json_array_foreach(json_object_get(hold, fields[f]), i, address)
        {
            const char *text = json_string_value(address);
            if (text != NULL && count < EVENT_ADDRESSED_MAX + EVENT_LISTS_MAX)
                out[count++] = (struct envelope_recipient){
                    .typed = text, .address = text, .argument = text};
        }
    }
    return count;
}

/* The brake that would stop the message if it came now. */
static enum status find_brake(const struct snapshot *snapshot,
                              const struct brakes *brakes, const json_t *hold,
                              const struct brake **out)
{
    struct envelope_recipient recipients[EVENT_ADDRESSED_MAX + EVENT_LISTS_MAX];
    const char *client = record_text(hold, "client");
    const char *login = text_after(record_text(hold, "identity"), "login:");
    const struct envelope envelope = {.client = client,
                                      .local = strcmp(client, "local") == 0,
                                      .login = login,
                                      .sender = record_text(hold, "sender"),
                                      .recipients = recipients,
                                      .recipient_count =
                                          take_recipients(hold, recipients)};
    struct facts facts;
    enum status status =
        facts_gather(&envelope, &snapshot->settings->policy, snapshot->directory, &facts);
    if (status != STATUS_OK) {
        *out = NULL;
        return status == STATUS_NOMEM ? status : STATUS_OK;
    }
    *out = brake_find(brakes, &facts, snapshot->directory, clock_wall_ms());
    facts_clear(&facts);
    return STATUS_OK;
}

enum status confirmed_check_brakes(const struct confirmed *confirmed,
                                   const struct snapshot *snapshot, struct obstacle *out)
{
    size_t i;
    const json_t *hold;
    enum status status = STATUS_OK;
    const struct brake *brake = NULL;
    struct active_brakes *active = confirmed->engine->active_brakes;
    const struct brakes *brakes = active_brakes_take(active);
    json_array_foreach(confirmed->holds, i, hold)
    {
        if (status == STATUS_OK && brake == NULL && brakes->count > 0)
            status = find_brake(snapshot, brakes, hold, &brake);
    }
    if (brake != NULL) {
        (void)snprintf(out->why, sizeof out->why, "a brake (%.*s) stops it",
                       (int)strcspn(brake->key.text, ":"), brake->key.text);
        (void)snprintf(out->plain, sizeof out->plain,
                       "your mail administrators have stopped such mail since");
        status = STATUS_CONFLICT;
    }
    active_brakes_release(active, brakes);
    return status;
}

/* ---- how many people ---- */

struct people {
    const struct confirmed *confirmed;
    const struct digest_key *key;
    struct audience all;
    json_t *seen;   /* digests */
    int64_t beyond; /* who they are is not known */
    bool unnoted;   /* a hold of this relay has no digest yet */
};

/* Those of one hold, once for each digest. here: those of this relay are in all already;
 * NULL: nobody is told apart. */
static enum status add_people(struct people *people, const json_t *hold,
                              const struct audience *here)
{
    struct audience then = {0};
    const char *digest = record_text(hold, "audience");
    if (digest[0] == '\0') {
        people->unnoted = people->unnoted || is_here(people->confirmed, hold);
        people->beyond += record_number(hold, "reach");
        return STATUS_OK;
    }
    if (json_object_get(people->seen, digest) != NULL)
        return STATUS_OK;
    if (json_object_set_new(people->seen, digest, json_true()) != 0)
        return STATUS_NOMEM;
    enum status status = here == NULL ? STATUS_NOT_FOUND
                                      : audience_recall(digest, people->key, here, &then);
    if (status == STATUS_OK)
        audience_add_all(&people->all, &then);
    else if (status == STATUS_NOT_FOUND)
        people->beyond += (int64_t)audience_number(digest);
    audience_clear(&then);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* here NULL: of all relays. Else of the others, but what this one holds, too. */
static enum status add_all_people(struct people *people, const struct audience *here)
{
    size_t i;
    const json_t *hold;
    enum status status = STATUS_OK;
    for (int pass = here == NULL ? 1 : 0; pass < 2; pass++) {
        json_array_foreach(people->confirmed->holds, i, hold)
        {
            bool mine = is_here(people->confirmed, hold);
            const char *digest = record_text(hold, "audience");
            if (here != NULL && mine && pass == 0 && digest[0] != '\0')
                (void)json_object_set_new(people->seen, digest, json_true());
            else if (pass == 1 && status == STATUS_OK && (here == NULL || !mine))
                status = add_people(people, hold, here);
        }
    }
    return status;
}

/* Told apart as far as possible. */
static enum status count_apart(const struct confirmed *confirmed,
                               const struct snapshot *snapshot, struct people *people)
{
    struct error error;
    struct audience_review review = {0};
    enum status status = STATUS_OK;
    size_t count = json_array_size(confirmed->ids);
    const char **ids = calloc(count + 1, sizeof *ids);
    for (size_t i = 0; i < count && ids != NULL; i++)
        ids[i] = json_string_value(json_array_get(confirmed->ids, i));
    if (ids == NULL)
        status = STATUS_NOMEM;
    else if (count > 0)
        status =
            actions_review(confirmed->actions, snapshot, ids, count, &review, &error);
    if (status == STATUS_OK) {
        audience_add_all(&people->all, &review.now);
        status = add_all_people(people, &review.now);
    }
    audience_review_clear(&review);
    free(ids);
    return status == STATUS_OK ? audience_settle(&people->all) : status;
}

static void clear_people(struct people *people)
{
    audience_clear(&people->all);
    json_decref(people->seen);
}

/* No fewer than it reaches; exact where that is more than max, as far as can be told. */
static enum status count_people(const struct confirmed *confirmed,
                                const struct snapshot *snapshot, int64_t max,
                                int64_t *out)
{
    const struct digest_key *key = &confirmed->engine->key;
    struct people people = {.confirmed = confirmed, .key = key, .seen = json_object()};
    enum status status =
        people.seen == NULL ? STATUS_NOMEM : add_all_people(&people, NULL);
    if (status == STATUS_OK && (people.beyond > max || people.unnoted)) {
        clear_people(&people);
        people =
            (struct people){.confirmed = confirmed, .key = key, .seen = json_object()};
        status = people.seen == NULL ? STATUS_NOMEM
                                     : count_apart(confirmed, snapshot, &people);
    }
    *out = people.beyond + (int64_t)people.all.count;
    clear_people(&people);
    return status;
}

/* How many one sender may let go. With quarantine.approve_over, what goes out of it
 * without a second administrator counts, too. */
static int64_t reach_max(const struct confirmed *confirmed,
                         const struct settings *settings)
{
    size_t i;
    const json_t *hold;
    int64_t max = settings->policy.confirm.max_reach;
    int64_t before = record_number(confirmed->incident, "released_reach");
    json_array_foreach(confirmed->holds, i, hold)
    {
        if (record_is_counted(hold))
            before -= record_number(hold, "reach");
    }
    return settings->quarantine.approve_over == 0 || before < 0 ? max : max - before;
}

enum status confirmed_check(const struct confirmed *confirmed,
                            const struct snapshot *snapshot, struct obstacle *out)
{
    int64_t reach = 0;
    int64_t max = reach_max(confirmed, snapshot->settings);
    if (json_array_size(confirmed->holds) == 0) {
        (void)snprintf(out->why, sizeof out->why, "nothing of it is held any more");
        (void)snprintf(out->plain, sizeof out->plain,
                       "nothing of it is held any more: somebody has decided about it");
        out->over = true;
        return STATUS_CONFLICT;
    }
    enum status status = confirmed_check_brakes(confirmed, snapshot, out);
    if (status == STATUS_OK)
        status = count_people(confirmed, snapshot, max, &reach);
    if (status != STATUS_OK || reach <= max)
        return status;
    (void)snprintf(out->why, sizeof out->why,
                   "it would reach %lld people, more than %lld", (long long)reach,
                   (long long)max);
    (void)snprintf(out->plain, sizeof out->plain,
                   "together it would reach more people than a sender can decide about");
    return STATUS_CONFLICT;
}
