/* A call is formatted when it is made, so that whoever sends it copies bytes only. Any
 * answer that is not exactly what the script returns counts as none. */
#include "store/charge_call.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/detour.h"
#include "store/limiter_request.h"

enum {
    NUMBERS = 6,                   /* of a record, a double each */
    RECORD_SIZE = 1 + 8 * NUMBERS, /* as limiter_state.lua reads it */
    SHOWN_OPEN = 3,                /* in the reply, of the open window */
    SHOWN_PAST = 2,                /* and of each past one */
};

_Static_assert(sizeof(double) == 8, "struct.unpack has the same");

struct charge_call {
    struct charge_order order;
    struct charge_found *found; /* owned */
    int64_t now_ms;             /* of the server */
    size_t added;               /* keys */
    struct text keys;           /* as they are sent */
    struct text arguments;      /* likewise */
    char key_bytes[400]; /* where these two begin: room for what most messages need */
    char argument_bytes[360];
};

static void add_number(struct text *out, char kind, size_t number)
{
    text_add(out, &kind, 1);
    text_add_number(out, (int64_t)number);
    text_add(out, "\r\n", 2);
}

/* One word of a request (RESP, Redis's protocol): its length, and its bytes. */
static void add_word(struct text *out, const char *word, size_t length)
{
    add_number(out, '$', length);
    text_add(out, word, length);
    text_add(out, "\r\n", 2);
}

/* A whole number below 2^53 as a double, lowest byte first: exact on any machine. */
static void put_number(char *at, int64_t number)
{
    double value = (double)number;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++)
        at[i] = (char)(unsigned char)(bits >> 8 * i & 0xff);
}

/* The kinds of charges that a record's flags tell apart. */
static int kind_flags(const struct charge *charge)
{
    if (charge->clients)
        return CHARGE_FLAG_WINDOW | CHARGE_FLAG_CLIENTS;
    return charge->surge != NULL ? CHARGE_FLAG_WINDOW : 0;
}

/* cost: of a set of clients, the client's number. */
static void add_record(struct text *out, const struct charge *charge, int64_t cost,
                       int64_t carried)
{
    const struct surge *surge = charge->surge;
    const struct rate *rate = charge->rate;
    const int64_t numbers[NUMBERS] = {cost,
                                      surge != NULL ? surge->factor : rate->tokens,
                                      surge != NULL ? surge->window_ms : rate->period_ms,
                                      surge != NULL ? surge->floor : rate->burst,
                                      charge->latch_ms,
                                      carried};
    char record[RECORD_SIZE] = {(char)(kind_flags(charge) |
                                       (charge->monitor ? CHARGE_FLAG_MONITOR : 0) |
                                       (charge->trains ? CHARGE_FLAG_TRAINS : 0) |
                                       (charge->along ? CHARGE_FLAG_ALONG : 0) |
                                       (charge->permit ? CHARGE_FLAG_PERMIT : 0))};
    for (size_t i = 0; i < NUMBERS; i++)
        put_number(record + 1 + 8 * i, numbers[i]);
    text_add(out, record, sizeof record);
}

struct charge_call *charge_call_new(const struct charge_order *order)
{
    struct charge_call *call = malloc(sizeof *call);
    if (call == NULL)
        return NULL;
    assert(order->count > 0 && order->count <= CHARGE_CALL_MAX);
    call->order = *order;
    call->added = 0;
    call->now_ms = 0;
    call->found = malloc(order->count * sizeof *call->found);
    if (call->found == NULL) {
        free(call);
        return NULL;
    }
    call->keys = text_on(call->key_bytes, sizeof call->key_bytes);
    call->arguments = text_on(call->argument_bytes, sizeof call->argument_bytes);
    add_word(&call->arguments, order->mode, strlen(order->mode));
    add_number(&call->arguments, '$', order->count * RECORD_SIZE);
    for (size_t i = 0; i < order->count; i++) {
        const struct charge *charge = &order->charges[i];
        int64_t cost = charge->cost;
        if (charge->clients &&
            limiter_request_client(order->key, charge, &cost) != STATUS_OK)
            call->arguments.failed = true;
        add_record(&call->arguments, charge, cost,
                   order->carried != NULL ? order->carried[i] : 0);
    }
    text_add(&call->arguments, "\r\n", 2);
    return call;
}

void charge_call_free(struct charge_call *call)
{
    if (call == NULL)
        return;
    text_clear(&call->keys);
    text_clear(&call->arguments);
    free(call->found);
    free(call);
}

const struct charge_order *charge_call_order(const struct charge_call *call)
{
    return &call->order;
}

void charge_call_add_key(struct charge_call *call, const char *key)
{
    assert(call->added < call->order.count);
    call->added++;
    add_word(&call->keys, key, strlen(key));
}

/* Each key is "$<length>\r\n<key>\r\n". */
const char *charge_call_next_key(const struct charge_call *call,
                                 struct charge_cursor *cursor, size_t *out_length)
{
    int64_t length = 0;
    if (cursor->i == call->order.count)
        return NULL;
    const char *at = call->keys.data + cursor->at + 1;
    if (!text_take_number(&at, &length))
        return NULL;
    at += 2;
    cursor->i++;
    cursor->at = (size_t)(at + length + 2 - call->keys.data);
    *out_length = (size_t)length;
    return at;
}

const struct charge_found *charge_call_found(const struct charge_call *call)
{
    return call->found;
}

int64_t charge_call_now_ms(const struct charge_call *call)
{
    return call->now_ms;
}

enum {
    FOUND_WINDOW = 4, /* what the reply has of a charge, as charge.lua says */
    FOUND_OTHER = 2,
};

static size_t count_found(const struct charge *charge)
{
    return charge->surge != NULL ? FOUND_WINDOW : FOUND_OTHER;
}

size_t charge_call_elements(const struct charge_call *call)
{
    size_t count = 0;
    for (size_t i = 0; i < call->order.count; i++)
        count += count_found(&call->order.charges[i]);
    return count;
}

void charge_call_print(struct charge_call *const *calls, size_t count, bool by_text,
                       struct text *out)
{
    const struct script_text *script = calls[0]->order.script;
    char number[21];
    size_t keys = 0;
    for (size_t i = 0; i < count; i++) {
        assert(calls[i]->added == calls[i]->order.count &&
               calls[i]->order.script == script);
        keys += calls[i]->order.count;
        out->failed = out->failed || calls[i]->keys.failed || calls[i]->arguments.failed;
    }
    add_number(out, '*', 3 + keys + 2 * count);
    if (by_text) {
        add_word(out, "EVAL", 4);
        add_word(out, script->text, script->length);
    } else {
        add_word(out, "EVALSHA", 7);
        add_word(out, script->sha1, strlen(script->sha1));
    }
    (void)snprintf(number, sizeof number, "%zu", keys);
    add_word(out, number, strlen(number));
    for (size_t i = 0; i < count; i++)
        text_add(out, calls[i]->keys.data, calls[i]->keys.length);
    for (size_t i = 0; i < count; i++)
        text_add(out, calls[i]->arguments.data, calls[i]->arguments.length);
}

static enum status unexpected(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
}

/* An error of Redis. */
static enum status take_refusal(const redisReply *reply, struct error *error)
{
    if (connection_refuses(reply, "WRONGTYPE") || connection_refuses(reply, "CORRUPT"))
        return error_set(error, STATUS_INVALID, "bad bucket in Redis: %s", reply->str);
    if (detour_is_moving(reply))
        return error_set(error, STATUS_CONFLICT, "%s", reply->str);
    return connection_refusal(reply, error);
}

/* Any reply but an error of Redis, in *out_reply. */
static enum status run(struct charge_call *call, struct connection *connection,
                       int64_t deadline_us, redisReply **out_reply, struct error *error)
{
    redisReply *reply = NULL;
    enum status status = STATUS_OK;
    for (int by_text = 0; by_text < 2; by_text++) {
        struct text request = {0};
        charge_call_print(&call, 1, by_text == 1, &request);
        const struct connection_command command = {.request = request.data,
                                                   .request_length = request.length};
        status = request.failed
                     ? STATUS_NOMEM
                     : detour_ask(connection, &command, deadline_us, &reply, error);
        text_clear(&request);
        if (status != STATUS_OK)
            return status;
        if (by_text == 1 || !connection_refuses(reply, "NOSCRIPT"))
            break;
        freeReplyObject(reply);
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        status = take_refusal(reply, error);
        freeReplyObject(reply);
        return status;
    }
    *out_reply = reply;
    return STATUS_OK;
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

/* The past windows in a window's value: " end_ms:copies" each. */
static bool take_past(const char *at, struct window *out)
{
    for (; *at == ' ' && out->past_count < WINDOW_PAST_MAX; out->past_count++) {
        struct window_past *past = &out->past[out->past_count];
        at++;
        if (!text_take_number(&at, &past->end_ms) || *at++ != ':' ||
            !text_take_number(&at, &past->copies) || past->end_ms > RATE_PRODUCT_MAX ||
            past->copies > WINDOW_COPIES_MAX)
            return false;
    }
    return *at == '\0';
}

/* A window's value, "w", or "W" when it was braked, then start, copies, trained, latch
 * and past; "" when it is unused. */
static bool take_value(const redisReply *reply, struct window *out)
{
    int64_t numbers[4];
    const char *at = reply->str;
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    *out = (struct window){.braked = at[0] == 'W'};
    if (at[0] == '\0')
        return true;
    if (*at != 'w' && *at != 'W')
        return false;
    at++;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (*at++ != ' ' || !text_take_number(&at, &numbers[i]))
            return false;
    out->start_ms = numbers[0];
    out->copies = numbers[1];
    out->trained = numbers[2];
    return out->start_ms <= RATE_PRODUCT_MAX && out->copies <= WINDOW_COPIES_MAX &&
           out->trained <= WINDOW_COPIES_MAX && take_past(at, out);
}

/* size: what it may hold at most. */
static bool take_window_found(const redisReply *reply, size_t at,
                              const struct surge *surge, struct charge_found *out_found,
                              struct charge_outcome *out)
{
    int64_t size;
    if (!take_numbers(reply, at + FOUND_OTHER, 1, &size) || size < surge->floor ||
        size > surge->factor * (WINDOW_COPIES_MAX / 1000))
        return false;
    out->burst = size;
    return take_value(reply->element[at + FOUND_OTHER + 1], &out_found->window);
}

/* What Redis found of a charge; false when that can't be. */
static bool take_outcome(const redisReply *reply, size_t at, const struct charge *charge,
                         struct charge_found *out_found, struct charge_outcome *out)
{
    const struct rate *rate = charge->rate;
    int64_t found[FOUND_OTHER]; /* what is left, and the latch */
    if (!take_numbers(reply, at, FOUND_OTHER, found))
        return false;
    *out = (struct charge_outcome){.left = found[0], .latch_ms = found[1]};
    out_found->rest = 0;
    if (charge->surge != NULL) {
        if (!take_window_found(reply, at, charge->surge, out_found, out))
            return false;
    } else {
        out->burst = rate->burst;
        if (!charge->clients && rate->burst < RATE_PRODUCT_MAX / rate->period_ms) {
            out->left = found[0] / rate->period_ms;
            out_found->rest = found[0] % rate->period_ms;
        }
    }
    out->fits = charge->cost <= out->left;
    return out->left <= out->burst && out->latch_ms <= charge->latch_ms;
}

/* The time stands before what is found of the first call. */
static bool take_time(struct charge_call *call, const redisReply *reply, size_t *at)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
        !take_numbers(reply, 0, 1, &call->now_ms))
        return false;
    *at += *at == 0;
    return *at < reply->elements;
}

enum status charge_call_take(struct charge_call *call, const redisReply *reply,
                             size_t *at, struct charge_outcome *out_outcomes,
                             struct error *error)
{
    const struct charge_order *order = &call->order;
    if (!take_time(call, reply, at))
        return unexpected(error);
    if (reply->element[*at]->type == REDIS_REPLY_ERROR)
        return take_refusal(reply->element[(*at)++], error);
    if (reply->elements - *at < charge_call_elements(call))
        return unexpected(error);
    for (size_t i = 0; i < order->count; i++) {
        const struct charge *charge = &order->charges[i];
        if (!take_outcome(reply, *at, charge, &call->found[i], &out_outcomes[i]))
            return unexpected(error);
        *at += count_found(charge);
    }
    return STATUS_OK;
}

void charge_call_skip(const redisReply *reply, size_t elements, size_t *at)
{
    *at += *at == 0;
    bool failed = reply->type == REDIS_REPLY_ARRAY && *at < reply->elements &&
                  reply->element[*at]->type == REDIS_REPLY_ERROR;
    *at += failed ? 1 : elements;
}

enum status charge_call_run(struct charge_call *call, struct connection *connection,
                            int64_t deadline_us, struct charge_outcome *out_outcomes,
                            struct error *error)
{
    redisReply *reply = NULL;
    size_t at = 0;
    enum status status = run(call, connection, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    status = charge_call_take(call, reply, &at, out_outcomes, error);
    if (status == STATUS_OK && at != reply->elements)
        status = unexpected(error);
    freeReplyObject(reply);
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
