/* Of each key the last answer counts: one that came late is passed over, and one that has
 * more than it can have is not believed. */
#include "store/epoch/last_seen.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/epoch/seen_table.h"

enum {
    FEW_CHARGES = 16,  /* of a message, for which no memory is needed */
    TOGETHER_MAX = 64, /* messages that Redis answers at one instant */
};
static const int64_t CLOCK_BACK_MS = 1000; /* an older answer is never that late */

struct last_seen {
    size_t name_at; /* in a key */
    const struct digest_key *key;
    pthread_mutex_t mutex; /* of all below; a leaf */
    struct seen_table table;
    int64_t noted_us;
};

struct last_seen *last_seen_new(const char *prefix, const struct digest_key *key)
{
    struct last_seen *seen = calloc(1, sizeof *seen);
    if (seen == NULL)
        return NULL;
    seen->name_at = strlen(prefix) + strlen("{}:b:");
    seen->key = key;
    if (seen_table_init(&seen->table) != STATUS_OK) {
        free(seen);
        return NULL;
    }
    (void)pthread_mutex_init(&seen->mutex, NULL);
    return seen;
}

void last_seen_free(struct last_seen *seen)
{
    if (seen == NULL)
        return;
    (void)pthread_mutex_destroy(&seen->mutex);
    seen_table_clear(&seen->table);
    free(seen);
}

/* ---- what an entry says ---- */

/* The same rule on every relay has the same numbers, but a permit may get others. */
static bool is_of(const struct seen_entry *entry, const struct limiter_request *request)
{
    if (entry->is_window)
        return request->is_window;
    return !request->is_window && request->has_clients == entry->has_clients &&
           entry->tokens == request->rate.tokens && entry->burst == request->rate.burst &&
           entry->period_ms == request->rate.period_ms;
}

static struct client_set clients_of(const struct seen_entry *entry)
{
    return (struct client_set){entry->clients, entry->client_count};
}

static void write_entry(struct seen_entry *entry, const struct limiter_request *request,
                        const struct limiter_state *state, int64_t now_ms, int64_t now_us)
{
    entry->stamp_ms = now_ms;
    entry->seen_us = now_us;
    entry->latch_ms = request->latch_ms;
    entry->latch_end_ms = state->latch_end_ms;
    if (request->is_window) {
        entry->window->window = state->window;
        return;
    }
    entry->tokens = (int32_t)request->rate.tokens;
    entry->burst = (int32_t)request->rate.burst;
    entry->period_ms = request->rate.period_ms;
    entry->level = (int32_t)state->bucket.level;
    entry->rest = state->bucket.rest;
}

/* Of a bucket that is full and a window that is unused nothing can be lost. */
static bool matters(const struct limiter_request *request,
                    const struct limiter_state *state, int64_t now_ms)
{
    if (state->latch_end_ms > now_ms || state->clients.taken)
        return true;
    if (request->is_window)
        return window_is_open(&state->window) || state->window.past_count > 0;
    return !request->has_clients && state->bucket.level < request->rate.burst;
}

/* Counts a client from now_ms on; without memory it does not. */
static void add_client(struct seen_entry *entry, const struct rate *limit, int64_t client,
                       int64_t now_ms)
{
    struct client_set set = clients_of(entry);
    client_set_roll(&set, limit->period_ms, now_ms);
    if (set.count == entry->client_room && set.count < (size_t)limit->burst) {
        size_t room = set.count == 0 ? 2 : 2 * set.count;
        if (room > (size_t)limit->burst)
            room = (size_t)limit->burst; /* the store reads no more */
        struct client_entry *more = realloc(entry->clients, room * sizeof *more);
        if (more != NULL) {
            set.entries = entry->clients = more;
            entry->client_room = (uint16_t)room;
        }
    }
    if (entry->client_room > 0)
        client_set_take(&set, entry->client_room, client, now_ms);
    entry->client_count = (uint16_t)set.count;
}

/* ---- what Redis answered ---- */

static bool is_fuller_window(const struct seen_entry *entry, const struct window *found,
                             const struct charge_outcome *outcome, int64_t now_ms)
{
    struct window window = entry->window->window;
    window_roll(&window, &entry->window->surge, now_ms);
    if (window_size(&window, &entry->window->surge) > outcome->burst)
        return true;
    return window_is_open(&window) &&
           (!window_is_open(found) || found->start_ms > window.start_ms ||
            found->copies < window.copies || found->trained < window.trained);
}

static bool is_fuller_bucket(const struct seen_entry *entry,
                             const struct limiter_request *request,
                             const struct bucket *found)
{
    struct bucket bucket = seen_entry_bucket(entry);
    bucket_refill(&bucket, &request->rate, found->stamp_ms);
    return found->level > bucket.level ||
           (found->level == bucket.level && found->rest > bucket.rest);
}

/* By more than all that may be asked at one instant. */
static bool is_far_fuller(const struct seen_entry *entry,
                          const struct limiter_request *request,
                          const struct limiter_state *state)
{
    int64_t most = TOGETHER_MAX * (request->cost > 0 ? request->cost : 1);
    if (request->is_window)
        return state->window.copies + most < entry->window->window.copies;
    return !request->has_clients && state->bucket.level > entry->level + most;
}

/* Whether it has more left, or a latch that ends earlier, than since the entry was seen
 * it can have, unless somebody changed that by hand. Two answers of the same instant may
 * come in any order. */
static bool is_fuller(const struct seen_entry *entry,
                      const struct limiter_request *request,
                      const struct limiter_state *state,
                      const struct charge_outcome *outcome, int64_t now_ms)
{
    if (entry->stamp_ms == 0 || entry->stamp_ms > now_ms || !is_of(entry, request))
        return false;
    if (entry->stamp_ms == now_ms)
        return is_far_fuller(entry, request, state);
    if (request->latch_ms > 0 && entry->latch_end_ms > now_ms + outcome->latch_ms)
        return true;
    if (request->is_window)
        return is_fuller_window(entry, &state->window, outcome, now_ms);
    if (request->has_clients) {
        const struct client_set set = clients_of(entry);
        return client_set_left(&set, &request->rate, request->client, now_ms) <
               outcome->left;
    }
    return is_fuller_bucket(entry, request, &state->bucket);
}

/* The charges of a call as Redis answered to them. */
struct answer {
    struct last_seen *seen;
    const struct charge_call *call;
    const struct charge_outcome *outcomes;
    struct limiter_request *requests;
    struct limiter_effect *effects;
    int64_t now_ms; /* the store's */
    int64_t now_us;
};

/* The name of the next charge; false when it is too long to be kept. */
static bool next_name(const struct answer *answer, struct charge_cursor *cursor,
                      char out[LAST_SEEN_NAME_SIZE])
{
    size_t length = 0;
    const char *key = charge_call_next_key(answer->call, cursor, &length);
    size_t at = answer->seen->name_at;
    if (key == NULL || length <= at || length - at >= LAST_SEEN_NAME_SIZE)
        return false;
    memcpy(out, key + at, length - at);
    out[length - at] = '\0';
    return true;
}

/* As it was found. */
static struct limiter_state found_state(const struct answer *answer, size_t i)
{
    const struct charge_found *found = &charge_call_found(answer->call)[i];
    const struct charge_outcome *outcome = &answer->outcomes[i];
    struct limiter_state state = {
        .bucket = {outcome->left, found->rest, answer->now_ms},
        .latch_end_ms = outcome->latch_ms > 0 ? answer->now_ms + outcome->latch_ms : 0};
    if (answer->requests[i].is_window)
        state.window = found->window;
    return state;
}

static bool is_believable(const struct answer *answer)
{
    char name[LAST_SEEN_NAME_SIZE];
    struct charge_cursor cursor = {0};
    for (size_t i = 0; i < charge_call_order(answer->call)->count; i++) {
        if (!next_name(answer, &cursor, name))
            continue;
        const struct seen_entry *entry = seen_table_find(&answer->seen->table, name);
        struct limiter_state state = found_state(answer, i);
        if (entry != NULL && is_fuller(entry, &answer->requests[i], &state,
                                       &answer->outcomes[i], answer->now_ms))
            return false;
    }
    return true;
}

/* An answer that came late is passed over; of two of one instant the fuller one is. */
static bool is_late(const struct seen_entry *entry, const struct limiter_request *request,
                    const struct limiter_state *state, int64_t now_ms)
{
    if (now_ms != entry->stamp_ms)
        return now_ms < entry->stamp_ms && now_ms > entry->stamp_ms - CLOCK_BACK_MS;
    if (request->is_window)
        return state->window.copies < entry->window->window.copies;
    return !request->has_clients && state->bucket.level > entry->level;
}

static void keep(const struct answer *answer, size_t i, const char *name)
{
    const struct limiter_request *request = &answer->requests[i];
    struct limiter_state state = found_state(answer, i);
    struct seen_entry *entry = seen_table_find(&answer->seen->table, name);
    rows_apply(&state, request, &answer->effects[i], answer->now_ms);
    if (entry == NULL && !matters(request, &state, answer->now_ms))
        return;
    if (entry != NULL && entry->is_window != request->is_window)
        return;
    if (entry == NULL)
        entry = seen_table_add(&answer->seen->table, name, request, answer->now_ms);
    if (entry == NULL)
        return;
    if (state.clients.taken)
        add_client(entry, &request->rate, request->client, answer->now_ms);
    if (!is_late(entry, request, &state, answer->now_ms))
        write_entry(entry, request, &state, answer->now_ms, answer->now_us);
    seen_table_renew(&answer->seen->table, entry, answer->now_ms);
}

static bool note(const struct answer *answer, enum charge_mode mode, bool believe)
{
    char name[LAST_SEEN_NAME_SIZE];
    struct charge_cursor cursor = {0};
    const struct charge_order *order = charge_call_order(answer->call);
    for (size_t i = 0; i < order->count; i++) {
        answer->requests[i] = limiter_request_make(&order->charges[i], 0);
        if (order->charges[i].clients &&
            limiter_request_client(order->key, &order->charges[i],
                                   &answer->requests[i].client) != STATUS_OK)
            return true;
    }
    limiter_request_settle(answer->requests, order->count, answer->outcomes, mode,
                           answer->effects);
    (void)pthread_mutex_lock(&answer->seen->mutex);
    bool believable = believe || is_believable(answer);
    if (believable)
        answer->seen->noted_us = answer->now_us;
    for (size_t i = 0; i < order->count && believable; i++)
        if (next_name(answer, &cursor, name))
            keep(answer, i, name);
    (void)pthread_mutex_unlock(&answer->seen->mutex);
    return believable;
}

/* Without memory nothing is kept. */
bool last_seen_note(struct last_seen *seen, const struct charge_call *call,
                    const struct charge_outcome *outcomes, enum charge_mode mode,
                    bool believe, int64_t now_us)
{
    size_t count = charge_call_order(call)->count;
    struct limiter_request few_requests[FEW_CHARGES];
    struct limiter_effect few_effects[FEW_CHARGES];
    bool few = count <= FEW_CHARGES;
    struct answer answer = {
        .seen = seen,
        .call = call,
        .outcomes = outcomes,
        .requests = few ? few_requests : malloc(count * sizeof *few_requests),
        .effects = few ? few_effects : malloc(count * sizeof *few_effects),
        .now_ms = charge_call_now_ms(call),
        .now_us = now_us};
    bool believable =
        answer.requests == NULL || answer.effects == NULL || note(&answer, mode, believe);
    if (!few) {
        free(answer.requests);
        free(answer.effects);
    }
    return believable;
}

int64_t last_seen_noted_us(struct last_seen *seen)
{
    (void)pthread_mutex_lock(&seen->mutex);
    int64_t noted_us = seen->noted_us;
    (void)pthread_mutex_unlock(&seen->mutex);
    return noted_us;
}

/* ---- the local share ---- */

static void make_name(const struct last_seen *seen, const struct charge *charge,
                      char out[LAST_SEEN_NAME_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(seen->key, charge->subject, strlen(charge->subject), hash);
    (void)snprintf(out, LAST_SEEN_NAME_SIZE, "%.32s:%s", charge->fingerprint, hash);
}

void last_seen_forget(struct last_seen *seen, const struct charge *charges, size_t count)
{
    char name[LAST_SEEN_NAME_SIZE];
    for (size_t i = 0; i < count; i++) {
        make_name(seen, &charges[i], name);
        (void)pthread_mutex_lock(&seen->mutex);
        struct seen_entry *entry = seen_table_find(&seen->table, name);
        if (entry != NULL)
            seen_table_empty(&seen->table, entry);
        (void)pthread_mutex_unlock(&seen->mutex);
    }
}

void last_seen_bound(struct last_seen *seen, const struct charge *charge, int nodes,
                     int64_t now_ms, int64_t now_us, struct limiter_request *request)
{
    char name[LAST_SEEN_NAME_SIZE];
    make_name(seen, charge, name);
    (void)pthread_mutex_lock(&seen->mutex);
    const struct seen_entry *entry = seen_table_find(&seen->table, name);
    bool known = entry != NULL && entry->stamp_ms > 0 && !request->has_clients &&
                 entry->is_window == request->is_window;
    if (known) {
        int64_t at_ms = now_ms - (now_us - entry->seen_us) / 1000;
        request->bounded = true;
        if (request->is_window) {
            const struct window *window = &entry->window->window;
            request->bound = (window->copies + nodes - 1) / nodes;
            request->bound_start_ms = at_ms - (entry->stamp_ms - window->start_ms);
        } else {
            struct bucket bucket = {entry->level / nodes, 0, at_ms};
            bucket_refill(&bucket, &request->rate, now_ms);
            request->bound = bucket.level;
        }
    }
    (void)pthread_mutex_unlock(&seen->mutex);
}

/* Of one that was never seen, nothing but the debt is known. */
void last_seen_owe(struct last_seen *seen, const struct charge *charge, int64_t client,
                   int64_t now_ms, int64_t now_us)
{
    char name[LAST_SEEN_NAME_SIZE];
    const struct limiter_request request = limiter_request_make(charge, 0);
    struct limiter_state state = {0};
    if (charge->cost == 0) /* of a permit, for mail that reaches nobody */
        return;
    if (!request.is_window)
        state.bucket = bucket_full(&request.rate, 0);
    make_name(seen, charge, name);
    (void)pthread_mutex_lock(&seen->mutex);
    struct seen_entry *entry = seen_table_find(&seen->table, name);
    if (entry != NULL && !is_of(entry, &request)) {
        seen_table_empty(&seen->table, entry);
        entry = NULL;
    }
    if (entry == NULL) {
        entry = seen_table_add(&seen->table, name, &request, now_ms);
        if (entry != NULL)
            write_entry(entry, &request, &state, 0, now_us);
    }
    if (entry != NULL) {
        seen->table.owed += entry->debt == 0;
        entry->debt += charge->cost;
        if (request.has_clients)
            add_client(entry, &request.rate, client, now_ms);
        seen_table_renew(&seen->table, entry, now_ms);
    }
    (void)pthread_mutex_unlock(&seen->mutex);
}

void last_seen_owe_call(struct last_seen *seen, const struct charge_call *call,
                        const struct charge_outcome *outcomes, enum charge_mode mode,
                        int64_t now_us)
{
    const struct charge_order *order = charge_call_order(call);
    struct limiter_request *requests = malloc(order->count * sizeof *requests);
    struct limiter_effect *effects = malloc(order->count * sizeof *effects);
    if (requests != NULL && effects != NULL) {
        for (size_t i = 0; i < order->count; i++)
            requests[i] = limiter_request_make(&order->charges[i], 0);
        limiter_request_settle(requests, order->count, outcomes, mode, effects);
        for (size_t i = 0; i < order->count; i++)
            if (effects[i].takes && !requests[i].has_clients)
                last_seen_owe(seen, &order->charges[i], 0, charge_call_now_ms(call),
                              now_us);
    }
    free(requests);
    free(effects);
}

bool last_seen_owes(struct last_seen *seen)
{
    (void)pthread_mutex_lock(&seen->mutex);
    bool owes = seen->table.owed > 0;
    (void)pthread_mutex_unlock(&seen->mutex);
    return owes;
}

/* ---- what is written back ---- */

static void list_since(const struct seen_table *table, uint32_t i, int64_t since_us,
                       uint32_t *list, size_t *count)
{
    for (; i != SEEN_NONE; i = table->entries[i].older) {
        const struct seen_entry *entry = &table->entries[i];
        if (entry->name[0] != '\0' && (entry->seen_us >= since_us || entry->debt > 0))
            list[(*count)++] = i;
    }
}

enum status last_seen_list(struct last_seen *seen, int64_t since_us, uint32_t **out,
                           size_t *out_count)
{
    size_t count = 0;
    uint32_t *list = malloc(LAST_SEEN_MAX * sizeof *list);
    if (list == NULL)
        return STATUS_NOMEM;
    (void)pthread_mutex_lock(&seen->mutex);
    list_since(&seen->table, seen->table.heavy.newest, since_us, list, &count);
    list_since(&seen->table, seen->table.light.newest, since_us, list, &count);
    (void)pthread_mutex_unlock(&seen->mutex);
    *out = list;
    *out_count = count;
    return STATUS_OK;
}

static void copy(const struct seen_entry *entry, struct last_seen_record *out)
{
    memcpy(out->name, entry->name, sizeof out->name);
    out->request =
        (struct limiter_request){.is_window = entry->is_window,
                                 .has_clients = entry->has_clients,
                                 .rate = {entry->tokens, entry->period_ms, entry->burst},
                                 .latch_ms = entry->latch_ms};
    out->state = (struct limiter_state){.bucket = seen_entry_bucket(entry),
                                        .latch_end_ms = entry->latch_end_ms};
    if (entry->is_window) {
        out->request.surge = entry->window->surge;
        out->state.window = entry->window->window;
    }
    out->seen_us = entry->seen_us;
    out->client_count = entry->client_count;
    if (entry->client_count > 0)
        memcpy(out->clients, entry->clients,
               entry->client_count * sizeof *entry->clients);
    out->debt = entry->debt;
}

bool last_seen_copy(struct last_seen *seen, uint32_t index, struct last_seen_record *out)
{
    (void)pthread_mutex_lock(&seen->mutex);
    const struct seen_entry *entry = &seen->table.entries[index];
    bool used = entry->name[0] != '\0';
    out->index = index;
    if (used)
        copy(entry, out);
    (void)pthread_mutex_unlock(&seen->mutex);
    return used;
}

/* Takes it from what was seen as the store has taken it from what it had. */
static void take_debt(struct seen_entry *entry, int64_t debt, int64_t now_ms,
                      int64_t now_us)
{
    const struct rate rate = {entry->tokens, entry->period_ms, entry->burst};
    struct bucket bucket = seen_entry_bucket(entry);
    if (entry->has_clients || entry->stamp_ms > now_ms)
        return; /* an answer that came since knows of it */
    if (entry->is_window) {
        window_roll(&entry->window->window, &entry->window->surge, now_ms);
        window_count(&entry->window->window, debt, now_ms);
    } else {
        bucket_refill(&bucket, &rate, now_ms);
        entry->level = (int32_t)(bucket.level > debt ? bucket.level - debt : 0);
        entry->rest = bucket.rest;
    }
    entry->stamp_ms = now_ms;
    entry->seen_us = now_us;
}

/* The entry is never less full than what the store has. */
void last_seen_pay(struct last_seen *seen, const struct last_seen_record *record,
                   int64_t now_ms, int64_t now_us)
{
    (void)pthread_mutex_lock(&seen->mutex);
    struct seen_entry *entry = &seen->table.entries[record->index];
    if (record->debt > 0 && entry->debt >= record->debt &&
        strcmp(entry->name, record->name) == 0) {
        entry->debt -= record->debt;
        seen->table.owed -= entry->debt == 0;
        take_debt(entry, record->debt, now_ms, now_us);
        seen_table_renew(&seen->table, entry, now_ms);
        seen->noted_us = now_us;
    }
    (void)pthread_mutex_unlock(&seen->mutex);
}
