/* Whom held messages would reach, as the MTA would deliver them now: the recipients in
 * the queue's file, which it has expanded already, but for aliases(5); and for mail so
 * old that a release queues it anew, all lists once more. */
#include "quarantine/actions_audience.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "quarantine/actions_parts.h"
#include "quarantine/helper.h"
#include "quarantine/record.h"

enum { ASK_AT_ONCE = 20 }; /* each may have a hundred thousand recipients */

static void add_recipient(struct audiences *audiences, const char *recipient, bool old,
                          struct audience *out)
{
    struct address address;
    struct target target;
    const struct directory *directory = audiences->directory;
    const struct digest_key *key = audiences->key;
    if (address_parse(recipient, strlen(recipient), &address) != STATUS_OK) {
        audience_add_person(out, key, recipient);
        return;
    }
    directory_find(directory, &address, &target);
    if (target.list != DIRECTORY_NONE &&
        (old || directory_is_local(directory, target.list)))
        audience_add_list(out, key, directory, target.list);
    else
        audience_add_person(out, key, target.address.text);
}

/* NULL without memory, or when it can't be read. */
static struct audience *make(struct audiences *audiences, const char *answer)
{
    size_t i;
    const json_t *recipient;
    json_t *json = json_loads(answer, 0, NULL);
    const json_t *recipients = json_object_get(json, "recipients");
    bool old = json_is_true(json_object_get(json, "old"));
    struct audience *audience = calloc(1, sizeof *audience);
    json_array_foreach(recipients, i, recipient)
    {
        const char *text = json_string_value(recipient);
        if (audience != NULL)
            add_recipient(audiences, text == NULL ? "" : text, old, audience);
    }
    if (audience != NULL &&
        (recipients == NULL || audience_settle(audience) != STATUS_OK)) {
        audience_clear(audience);
        free(audience);
        audience = NULL;
    }
    json_decref(json);
    return audience;
}

/* In a storm one audience follows the other, and they are the same. */
static enum status take(struct audiences *audiences, size_t i, char **answer)
{
    const char *last = audiences->last_answer;
    if (last != NULL && strcmp(last, *answer) == 0) {
        audiences->now[i] = audiences->last;
        return STATUS_OK;
    }
    struct audience *audience = make(audiences, *answer);
    if (audience == NULL)
        return STATUS_NOMEM;
    audiences->now[i] = audiences->owned[audiences->owned_count++] = audience;
    audiences->last = audience;
    free(audiences->last_answer);
    audiences->last_answer = *answer;
    *answer = NULL;
    return STATUS_OK;
}

static enum status ask(struct audiences *audiences, const char *helper,
                       const size_t *places, json_t *const *holds, size_t count,
                       struct error *error)
{
    struct helper_order orders[ASK_AT_ONCE] = {0};
    for (size_t i = 0; i < count; i++)
        orders[i].queue_id = record_text(holds[places[i]], "queue_id");
    enum status status = helper_do(helper, clock_deadline_us(ACTIONS_HELPER_MS),
                                   "recipients", orders, count, NULL, error);
    for (size_t i = 0; i < count; i++) {
        audiences->unknown[places[i]] =
            orders[i].status != STATUS_OK && orders[i].status != STATUS_NOT_FOUND;
        if (status == STATUS_OK && orders[i].status == STATUS_OK)
            status = take(audiences, places[i], &orders[i].value);
        if (status == STATUS_NOMEM)
            (void)error_set(error, status, "out of memory");
        free(orders[i].value);
    }
    return status;
}

enum status audiences_read(struct actions *actions, const struct snapshot *snapshot,
                           json_t *const *holds, size_t count, struct audiences *out,
                           struct error *error)
{
    size_t places[ASK_AT_ONCE];
    size_t asked = 0;
    enum status status = STATUS_OK;
    struct error ignored;
    *out = (struct audiences){
        .key = ledger_key(actions->ledger),
        .directory = snapshot->directory,
        .now = calloc(count + 1, sizeof(struct audience *)),
        .unknown = calloc(count + 1, sizeof(bool)),
        .owned = calloc(count + 1, sizeof(struct audience *)),
    };
    if (out->now == NULL || out->unknown == NULL || out->owned == NULL)
        status = error_set(error, STATUS_NOMEM, "out of memory");
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (holds[i] != NULL && actions_check(actions, holds[i], &ignored) == STATUS_OK)
            places[asked++] = i;
        if (asked == ASK_AT_ONCE || (i + 1 == count && asked > 0)) {
            status =
                ask(out, snapshot->settings->mta.helper, places, holds, asked, error);
            asked = 0;
        }
    }
    if (status != STATUS_OK)
        audiences_clear(out);
    return status;
}

void audiences_clear(struct audiences *audiences)
{
    for (size_t i = 0; i < audiences->owned_count; i++) {
        audience_clear(audiences->owned[i]);
        free(audiences->owned[i]);
    }
    free(audiences->owned);
    free(audiences->now);
    free(audiences->unknown);
    free(audiences->last_answer);
    *audiences = (struct audiences){0};
}

/* ---- what has changed ---- */

/* The audience when it was held, of one hold; it may be that of the one before. */
struct recalled_audience {
    const struct audience *now;
    const char *digest;
    struct audience then;
    bool known;
};

static enum status recall(struct recalled_audience *recalled,
                          const struct audiences *audiences, const struct audience *now,
                          const char *digest)
{
    if (recalled->now == now && strcmp(recalled->digest, digest) == 0)
        return STATUS_OK;
    audience_clear(&recalled->then);
    recalled->now = now;
    recalled->digest = digest;
    enum status status = audience_recall(digest, audiences->key, now, &recalled->then);
    recalled->known = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

bool audiences_is_changed(const struct audiences *audiences, size_t i, const json_t *hold)
{
    const char *digest = record_text(hold, "audience");
    return audiences->now[i] != NULL && digest[0] != '\0' &&
           !audience_is(audiences->now[i], audiences->key, digest);
}

/* Adds one hold's audiences to the unions, once where they follow each other. */
static enum status add_hold(const struct audiences *audiences, size_t i,
                            const json_t *hold, struct recalled_audience *recalled,
                            struct audience_review *out)
{
    const struct audience *mine = audiences->now[i];
    const char *digest = record_text(hold, "audience");
    bool same = i > 0 && audiences->now[i - 1] == mine;
    if (!same)
        audience_add_all(&out->now, mine);
    if (digest[0] == '\0' || audience_is(mine, audiences->key, digest)) {
        if (!same || out->changed)
            audience_add_all(&out->then, mine);
        return STATUS_OK;
    }
    out->changed = true;
    const struct audience *before = recalled->now;
    const char *before_digest = recalled->digest;
    enum status status = recall(recalled, audiences, mine, digest);
    out->told = out->told && recalled->known;
    if (status == STATUS_OK && recalled->known &&
        (before != recalled->now || before_digest != recalled->digest))
        audience_add_all(&out->then, &recalled->then);
    return status;
}

void audience_review_clear(struct audience_review *review)
{
    audience_clear(&review->now);
    audience_clear(&review->then);
}

enum status audiences_review(const struct audiences *audiences, json_t *const *holds,
                             size_t count, struct audience_review *out)
{
    struct recalled_audience recalled = {0};
    enum status status = STATUS_OK;
    *out = (struct audience_review){.told = true};
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        if (audiences->now[i] != NULL)
            status = add_hold(audiences, i, holds[i], &recalled, out);
    if (status == STATUS_OK)
        status = audience_settle(&out->now);
    if (status == STATUS_OK)
        status = audience_settle(&out->then);
    audience_clear(&recalled.then);
    if (status != STATUS_OK)
        audience_review_clear(out);
    return status;
}

struct audience_change audience_review_count(const struct audience_review *review)
{
    return (struct audience_change){.changed = review->changed,
                                    .told = review->told,
                                    .reach = review->now.count,
                                    .more = audience_without(&review->now, &review->then),
                                    .fewer =
                                        audience_without(&review->then, &review->now)};
}

enum status audiences_compare(const struct audiences *audiences, json_t *const *holds,
                              size_t count, struct audience_change *out)
{
    struct audience_review review;
    enum status status = audiences_review(audiences, holds, count, &review);
    if (status != STATUS_OK)
        return status;
    *out = audience_review_count(&review);
    audience_review_clear(&review);
    return STATUS_OK;
}

/* ---- for another relay ---- */

enum { PERSON_DIGITS = 16 };

/* NULL without memory. */
static json_t *write_one(const struct audience *audience, const struct digest_key *key,
                         bool whole)
{
    struct text text = {0};
    for (size_t i = 0; i < audience->count && whole; i++)
        text_printf(&text, "%0*" PRIx64, PERSON_DIGITS, audience->persons[i]);
    if (!whole)
        audience_write(audience, key, &text);
    json_t *json = text.failed ? NULL : json_string(text_string(&text));
    text_clear(&text);
    return json;
}

json_t *audience_review_write(const struct audience_review *review,
                              const struct digest_key *key, size_t room)
{
    size_t count = review->now.count + (review->changed ? review->then.count : 0);
    bool whole = count <= room / PERSON_DIGITS;
    return json_pack("{s:b, s:b, s:o, s:o*}", "changed", review->changed, "told",
                     review->told, "now", write_one(&review->now, key, whole), "then",
                     review->changed ? write_one(&review->then, key, whole) : NULL);
}

static enum status read_persons(const char *text, struct audience *out)
{
    size_t length = strlen(text);
    if (length % PERSON_DIGITS != 0 || strspn(text, "0123456789abcdef") != length)
        return STATUS_INVALID;
    out->persons = calloc(length / PERSON_DIGITS + 1, sizeof *out->persons);
    if (out->persons == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < length; i += PERSON_DIGITS) {
        char digits[PERSON_DIGITS + 1] = "";
        memcpy(digits, text + i, PERSON_DIGITS);
        out->persons[out->count++] = strtoull(digits, NULL, 16);
    }
    return audience_settle(out);
}

/* A digest has blanks. */
static enum status read_one(const char *text, const struct digest_key *key,
                            const struct audience *known, struct audience *out)
{
    if (text == NULL)
        return STATUS_INVALID;
    return strchr(text, ' ') == NULL ? read_persons(text, out)
                                     : audience_recall(text, key, known, out);
}

enum status audience_review_read(const json_t *text, const struct digest_key *key,
                                 const struct audience *known,
                                 struct audience_review *out)
{
    const char *now = json_string_value(json_object_get(text, "now"));
    const char *then = json_string_value(json_object_get(text, "then"));
    *out = (struct audience_review){.changed =
                                        json_is_true(json_object_get(text, "changed")),
                                    .told = json_is_true(json_object_get(text, "told"))};
    enum status status = read_one(now, key, known, &out->now);
    if (status == STATUS_OK && !out->changed) {
        audience_add_all(&out->then, &out->now);
        status = audience_settle(&out->then);
    } else if (status == STATUS_OK) {
        status = read_one(then, key, &out->now, &out->then);
        out->told = out->told && status == STATUS_OK;
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (status != STATUS_OK)
        audience_review_clear(out);
    return status;
}

/* ---- words ---- */

static const char *people(size_t count)
{
    return count == 1 ? "person" : "people";
}

static enum status refuse_change(const struct audience_change *change, int64_t expected,
                                 struct error *error)
{
    size_t reach = change->reach;
    if (expected >= 0)
        return error_set(error, STATUS_CONFLICT,
                         "it would reach %zu %s now, not %lld; --reach %zu releases it",
                         reach, people(reach), (long long)expected, reach);
    if (!change->told)
        return error_set(error, STATUS_CONFLICT,
                         "the people it reaches have changed since it was held: %zu %s; "
                         "--reach %zu releases it",
                         reach, people(reach), reach);
    return error_set(error, STATUS_CONFLICT,
                     "the people it reaches have changed since it was held: %zu more, "
                     "%zu fewer: %zu %s; --reach %zu releases it",
                     change->more, change->fewer, reach, people(reach), reach);
}

enum status audience_change_check(const struct audience_change *change, int64_t reach,
                                  struct error *error)
{
    bool expected = reach >= 0 && (size_t)reach == change->reach;
    bool asked = reach >= 0 || change->changed;
    return asked && !expected ? refuse_change(change, reach, error) : STATUS_OK;
}
