/* The arguments of charge.lua and amend.lua (store/limiter_state.lua reads them) and what
 * their replies mean. Any answer that is not exactly what the script returns counts as
 * none. */
#include "store/charge_call.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_SIZE = 21,
    NUMBERS = 5,         /* of one charge, after its kind */
    WORDS = 1 + NUMBERS, /* of one charge */
    FOUND = 3,           /* in the reply, of one charge */
    SHOWN_OPEN = 3,      /* in the reply, of the open window */
    SHOWN_PAST = 2,      /* and of each past one */
};

struct charge_call {
    struct charge_order order;
    size_t added;
    size_t key_size;
    char *keys;    /* count x key_size */
    char *numbers; /* NUMBER_SIZE each */
    size_t next;   /* number */
    struct script_call script;
};

/* In the order that limiter_state.lua wants. */
static void add_number(struct charge_call *call, size_t argument, int64_t number)
{
    char *text = call->numbers + call->next++ * NUMBER_SIZE;
    (void)snprintf(text, NUMBER_SIZE, "%" PRId64, number);
    script_set_argument(&call->script, argument, text);
}

static const char *kind_of(const struct charge *charge)
{
    static const char *const kinds[2][8] = {
        {"b", "bm", "bt", "bmt", "ba", "bma", "bta", "bmta"},
        {"w", "wm", "wt", "wmt", "wa", "wma", "wta", "wmta"}};
    return kinds[charge->surge != NULL][(charge->monitor ? 1 : 0) |
                                        (charge->trains ? 2 : 0) |
                                        (charge->along ? 4 : 0)];
}

static void add_charge(struct charge_call *call, size_t i)
{
    const struct charge *charge = &call->order.charges[i];
    size_t at = 1 + i * WORDS;
    script_set_argument(&call->script, at, kind_of(charge));
    add_number(call, at + 1, charge->cost);
    if (charge->surge != NULL) {
        add_number(call, at + 2, charge->surge->factor);
        add_number(call, at + 3, charge->surge->window_ms);
        add_number(call, at + 4, charge->surge->floor);
    } else {
        add_number(call, at + 2, charge->rate->tokens);
        add_number(call, at + 3, charge->rate->period_ms);
        add_number(call, at + 4, charge->rate->burst);
    }
    add_number(call, at + 5, charge->latch_ms);
}

static void add_carried(struct charge_call *call)
{
    const struct charge_order *order = &call->order;
    size_t at = 1 + order->count * WORDS;
    for (size_t i = 0; order->carried != NULL && i < order->count; i++) {
        if (order->carried[i] == 0)
            continue;
        add_number(call, at++, (int64_t)i + 1);
        add_number(call, at++, order->carried[i]);
    }
}

struct charge_call *charge_call_new(const struct charge_order *order, size_t key_size)
{
    struct charge_call *call = calloc(1, sizeof *call);
    size_t pairs = 0;
    if (call == NULL)
        return NULL;
    assert(order->count > 0 && order->count <= CHARGE_CALL_MAX);
    for (size_t i = 0; order->carried != NULL && i < order->count; i++)
        pairs += order->carried[i] > 0;
    call->order = *order;
    call->key_size = key_size;
    call->keys = calloc(order->count, key_size);
    call->numbers = calloc(order->count * NUMBERS + 2 * pairs, NUMBER_SIZE);
    if (call->keys == NULL || call->numbers == NULL ||
        script_init(&call->script, order->script, order->count,
                    1 + order->count * WORDS + 2 * pairs) != STATUS_OK) {
        charge_call_free(call);
        return NULL;
    }
    script_set_argument(&call->script, 0, order->mode);
    for (size_t i = 0; i < order->count; i++)
        add_charge(call, i);
    add_carried(call);
    return call;
}

void charge_call_free(struct charge_call *call)
{
    if (call == NULL)
        return;
    script_clear(&call->script);
    free(call->keys);
    free(call->numbers);
    free(call);
}

void charge_call_add_key(struct charge_call *call, const char *key)
{
    size_t i = call->added++;
    assert(i < call->order.count && strlen(key) < call->key_size);
    char *copy = call->keys + i * call->key_size;
    (void)snprintf(copy, call->key_size, "%s", key);
    script_set_key(&call->script, i, copy);
}

static enum status unexpected(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
}

/* Any reply but an error of Redis, in *out_reply. */
static enum status run(struct charge_call *call, struct connection *connection,
                       int64_t deadline_us, redisReply **out_reply, struct error *error)
{
    redisReply *reply = NULL;
    assert(call->added == call->order.count);
    enum status status =
        script_run(&call->script, connection, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    if (connection_refuses(reply, "WRONGTYPE") || connection_refuses(reply, "CORRUPT"))
        status = error_set(error, STATUS_INVALID, "bad bucket in Redis: %s", reply->str);
    else if (reply->type == REDIS_REPLY_ERROR)
        status = connection_refusal(reply, error);
    if (status == STATUS_OK)
        *out_reply = reply;
    else
        freeReplyObject(reply);
    return status;
}

/* Reads the numbers of an array, each from 0 to 2^53. */
static bool take_numbers(const redisReply *reply, size_t at, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const redisReply *number = reply->element[at + i];
        if (number->type != REDIS_REPLY_INTEGER || number->integer < 0 ||
            number->integer > RATE_PRODUCT_MAX)
            return false;
        out[i] = number->integer;
    }
    return true;
}

/* What a bucket, or any window, of the charge may hold at most. */
static bool is_size(const struct charge *charge, int64_t size)
{
    const struct surge *surge = charge->surge;
    if (surge == NULL)
        return size == charge->rate->burst;
    return size >= surge->floor && size <= surge->factor * (WINDOW_COPIES_MAX / 1000);
}

/* What Redis found of a charge; false when that can't be. */
static bool take_outcome(const redisReply *reply, size_t at, const struct charge *charge,
                         struct charge_outcome *out)
{
    int64_t found[FOUND];
    if (!take_numbers(reply, at, FOUND, found) || !is_size(charge, found[1]) ||
        found[0] > found[1] || found[2] > charge->latch_ms)
        return false;
    *out = (struct charge_outcome){.left = found[0],
                                   .burst = found[1],
                                   .latch_ms = found[2],
                                   .fits = charge->cost <= found[0]};
    return true;
}

enum status charge_call_run(struct charge_call *call, struct connection *connection,
                            int64_t deadline_us, struct charge_outcome *out_outcomes,
                            struct error *error)
{
    redisReply *reply = NULL;
    const struct charge_order *order = &call->order;
    struct charge_outcome *outcomes = calloc(order->count, sizeof *outcomes);
    if (outcomes == NULL)
        return STATUS_NOMEM;
    enum status status = run(call, connection, deadline_us, &reply, error);
    if (status == STATUS_OK) {
        bool good =
            reply->type == REDIS_REPLY_ARRAY && reply->elements == order->count * FOUND;
        for (size_t i = 0; good && i < order->count; i++)
            good = take_outcome(reply, i * FOUND, &order->charges[i], &outcomes[i]);
        freeReplyObject(reply);
        if (good)
            memcpy(out_outcomes, outcomes, order->count * sizeof *outcomes);
        else
            status = unexpected(error);
    }
    free(outcomes);
    return status;
}

enum status charge_call_amend(struct charge_call *call, struct connection *connection,
                              int64_t deadline_us, struct error *error)
{
    redisReply *reply = NULL;
    enum status status = run(call, connection, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    bool good = reply->type == REDIS_REPLY_INTEGER &&
                reply->integer == (long long)call->order.count;
    freeReplyObject(reply);
    return good ? STATUS_OK : unexpected(error);
}

static bool take_window(const redisReply *reply, struct window *out)
{
    int64_t shown[SHOWN_OPEN];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < SHOWN_OPEN ||
        reply->elements > SHOWN_OPEN + WINDOW_PAST_MAX * (size_t)SHOWN_PAST ||
        (reply->elements - SHOWN_OPEN) % SHOWN_PAST != 0 ||
        !take_numbers(reply, 0, SHOWN_OPEN, shown) || shown[1] > WINDOW_COPIES_MAX ||
        shown[2] > WINDOW_COPIES_MAX)
        return false;
    struct window window = {
        .start_ms = shown[0], .copies = shown[1], .trained = shown[2]};
    for (size_t at = SHOWN_OPEN; at < reply->elements; at += SHOWN_PAST) {
        if (!take_numbers(reply, at, SHOWN_PAST, shown) || shown[1] > WINDOW_COPIES_MAX)
            return false;
        window.past[window.past_count++] = (struct window_past){shown[0], shown[1]};
    }
    *out = window;
    return true;
}

enum status charge_call_show(struct charge_call *call, struct connection *connection,
                             int64_t deadline_us, struct window *out, struct error *error)
{
    redisReply *reply = NULL;
    enum status status = run(call, connection, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    bool good = take_window(reply, out);
    freeReplyObject(reply);
    return good ? STATUS_OK : unexpected(error);
}
