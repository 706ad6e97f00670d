/* An answer that counts passes the rules, since the one that held the mail may be latched
 * for its sender; but no brake. What anybody can write about is kept within bounds. */
#include "engine/answers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/notices/confirm.h"

enum {
    PASSES_REACH_MAX = 20, /* an answer to more people is judged by the rules */
    HOST_MAX = 100,
    MINUTE_MS = 60000,
    STRANGERS_PER_MINUTE = 30, /* are written down; so nobody fills the disk */
    KNOWN_PER_MINUTE = 300,
    WAITING_MAX = 20,
};

/* Of sendmail(1), which can't be told to come again, while the store was away. */
struct waiting {
    int64_t at_ms;
    char token[CONFIRM_TOKEN_LENGTH + 1];
    char by[CONFIRM_IDENTITY_SIZE];
    char shown[ANSWER_WHO_SIZE];
};

struct answers {
    char host[HOST_MAX];
    atomic_bool news;
    pthread_mutex_t mutex; /* of the rest */
    struct answer items[ANSWERS_KEPT];
    size_t first, count;
    size_t lost;
    int64_t minute_ms;    /* when it began */
    int strangers, known; /* in this minute */
    struct waiting waiting[WAITING_MAX];
    size_t waiting_count;
};

struct answers *answers_new(const char *host)
{
    struct answers *answers = calloc(1, sizeof *answers);
    if (answers != NULL && pthread_mutex_init(&answers->mutex, NULL) == 0) {
        (void)snprintf(answers->host, sizeof answers->host, "%s", host);
        return answers;
    }
    free(answers);
    return NULL;
}

void answers_free(struct answers *answers)
{
    if (answers != NULL)
        (void)pthread_mutex_destroy(&answers->mutex);
    free(answers);
}

/* Under the lock. A stranger's flood takes no room from those who are known. */
static bool has_room(struct answers *answers, const struct answer *answer, bool known)
{
    if (answer->at_ms < answers->minute_ms ||
        answer->at_ms - answers->minute_ms >= MINUTE_MS) {
        answers->minute_ms = answer->at_ms;
        answers->strangers = answers->known = 0;
    }
    return answers->count < ANSWERS_KEPT &&
           (known ? answers->known++ < KNOWN_PER_MINUTE
                  : answers->strangers++ < STRANGERS_PER_MINUTE);
}

static void keep(struct answers *answers, const struct answer *answer, bool known)
{
    (void)pthread_mutex_lock(&answers->mutex);
    if (has_room(answers, answer, known))
        answers->items[(answers->first + answers->count++) % ANSWERS_KEPT] = *answer;
    else
        answers->lost++;
    (void)pthread_mutex_unlock(&answers->mutex);
    atomic_store(&answers->news, true);
}

bool answers_take_news(struct answers *answers)
{
    return atomic_exchange(&answers->news, false);
}

bool answers_take(struct answers *answers, struct answer *out, size_t *out_lost)
{
    (void)pthread_mutex_lock(&answers->mutex);
    bool any = answers->count > 0;
    if (any) {
        *out = answers->items[answers->first];
        answers->first = (answers->first + 1) % ANSWERS_KEPT;
        answers->count--;
        *out_lost = answers->lost;
        answers->lost = 0;
    }
    (void)pthread_mutex_unlock(&answers->mutex);
    return any;
}

/* The tag of confirm.address, up to the '@'; NULL when the recipient is another one, or
 * has none. */
static const char *find_tag(const struct policy *policy,
                            const struct recipient *recipient, size_t *out_length)
{
    const char *address = policy->confirm.address;
    if (address == NULL || address[0] == '\0' || recipient->tagless == NULL ||
        strcmp(recipient->tagless, address) != 0)
        return NULL;
    size_t local = address_find_at(address, strlen(address));
    size_t at = address_find_at(recipient->address, strlen(recipient->address));
    if (at <= local + 1)
        return NULL;
    *out_length = at - local - 1;
    return recipient->address + local + 1;
}

/* How many tags it is addressed to, and the first that could be a token. */
static size_t count_tags(const struct judgement *judgement,
                         char out_token[CONFIRM_TOKEN_LENGTH + 1])
{
    size_t count = 0;
    const struct facts *facts = &judgement->facts;
    out_token[0] = '\0';
    for (size_t i = 0; i < facts->recipient_count; i++) {
        size_t length = 0;
        const char *tag =
            find_tag(judgement->view.policy, &facts->recipients[i], &length);
        if (tag == NULL)
            continue;
        count++;
        if (length == CONFIRM_TOKEN_LENGTH) {
            memcpy(out_token, tag, length);
            out_token[length] = '\0';
        }
    }
    return count;
}

/* What no answer changes: it was judged elsewhere, or is ours, or can't be understood, or
 * an administrator stopped its sender. */
static bool is_answerable(const struct judgement *judgement)
{
    const struct verdict *verdict = &judgement->verdict;
    bool alone = judgement->facts.recipient_count == 1 &&
                 judgement->facts.measures[MEASURE_REACH] <= PASSES_REACH_MAX;
    if (verdict->action != ACTION_ACCEPT &&
        (!alone || (verdict->rule == NULL && verdict->cause != CAUSE_STORE)))
        return false;
    return verdict->cause != CAUSE_RELAY && verdict->cause != CAUSE_NOTICE;
}

static enum answer_result count_it(struct answers *answers)
{
    atomic_store(&answers->news, true);
    return ANSWER_COUNTS;
}

/* False without room. */
static bool put_off(struct answers *answers, const struct confirm_answer *asked)
{
    (void)pthread_mutex_lock(&answers->mutex);
    bool room = answers->waiting_count < WAITING_MAX;
    if (room) {
        struct waiting *waiting = &answers->waiting[answers->waiting_count++];
        waiting->at_ms = asked->now_ms;
        (void)snprintf(waiting->token, sizeof waiting->token, "%s", asked->token);
        (void)snprintf(waiting->by, sizeof waiting->by, "%s", asked->by);
        (void)snprintf(waiting->shown, sizeof waiting->shown, "%s", asked->shown);
    }
    (void)pthread_mutex_unlock(&answers->mutex);
    return room;
}

static bool take_waiting(struct answers *answers, struct waiting *out)
{
    (void)pthread_mutex_lock(&answers->mutex);
    bool any = answers->waiting_count > 0;
    if (any)
        *out = answers->waiting[--answers->waiting_count];
    (void)pthread_mutex_unlock(&answers->mutex);
    return any;
}

void answers_retry(struct answers *answers, struct ledger *ledger,
                   const struct policy *policy, int64_t deadline_us)
{
    struct waiting waiting;
    while (take_waiting(answers, &waiting)) {
        struct answer answer = {.at_ms = waiting.at_ms};
        const struct confirm_answer asked = {.token = waiting.token,
                                             .by = waiting.by,
                                             .shown = waiting.shown,
                                             .host = answers->host,
                                             .policy = policy,
                                             .now_ms = waiting.at_ms};
        enum status status =
            confirm_take(ledger, &asked, deadline_us, answer.incident, &answer.why);
        if (status == STATUS_OK) {
            (void)count_it(answers);
        } else if (status == STATUS_INVALID) {
            (void)snprintf(answer.who, sizeof answer.who, "%s", waiting.shown);
            keep(answers, &answer, true);
        } else {
            (void)put_off(answers, &asked);
            return;
        }
    }
}

enum answer_result answers_consider(struct answers *answers, struct ledger *ledger,
                                    const struct judgement *judgement, const char *shown,
                                    int64_t now_ms, int64_t deadline_us)
{
    char token[CONFIRM_TOKEN_LENGTH + 1];
    char by[CONFIRM_IDENTITY_SIZE];
    const struct facts *facts = &judgement->facts;
    const struct policy *policy = judgement->view.policy;
    struct answer answer = {.at_ms = now_ms};
    size_t tags = answers == NULL ? 0 : count_tags(judgement, token);
    if (tags == 0 || !is_answerable(judgement))
        return ANSWER_NONE;
    /* Programs answer with the null sender (RFC 3834 3.3, RFC 8098 3). */
    bool automatic = facts->automatic || facts->sender.length == 0;
    bool proven = confirm_identity(facts, &policy->domains, by);
    const struct confirm_answer asked = {.token = token,
                                         .by = proven ? by : NULL,
                                         .shown = shown,
                                         .host = answers->host,
                                         .automatic = automatic,
                                         .policy = policy,
                                         .now_ms = now_ms};
    enum status status = STATUS_INVALID;
    answer.why = tags > 1 ? "it answers several letters" : "no letter has this token";
    if (tags == 1 && token[0] != '\0')
        status = confirm_take(ledger, &asked, deadline_us, answer.incident, &answer.why);
    if (status == STATUS_OK)
        return count_it(answers);
    bool away = status != STATUS_INVALID && proven && !automatic;
    if (away && facts->origin == ORIGIN_LOCAL && put_off(answers, &asked))
        return ANSWER_NONE;
    if (status != STATUS_INVALID)
        answer.why = "the store did not answer";
    (void)snprintf(answer.who, sizeof answer.who, "%s", shown);
    keep(answers, &answer, proven);
    return away && facts->origin != ORIGIN_LOCAL ? ANSWER_AWAY : ANSWER_NONE;
}
