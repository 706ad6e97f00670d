/* The arguments of charge.lua and what its reply means. Any answer that is not exactly
 * what the script returns counts as no answer. */
#include "store/charge_call.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/script.h"

enum {
    NUMBER_SIZE = 21,
    NUMBERS = 5, /* of one bucket: charge.lua */
};

struct charge_call {
    size_t count, added;
    size_t key_size;
    int64_t *bursts; /* no bucket can have more left */
    char *keys;      /* count x key_size */
    char *numbers;   /* count x NUMBERS x NUMBER_SIZE */
    struct script_call script;
};

struct charge_call *charge_call_new(size_t count, size_t key_size, bool commit)
{
    struct charge_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    assert(count > 0 && count <= WIRE_ELEMENTS_MAX);
    call->count = count;
    call->key_size = key_size;
    call->bursts = calloc(count, sizeof *call->bursts);
    call->keys = calloc(count, key_size);
    call->numbers = calloc(count * NUMBERS, NUMBER_SIZE);
    if (call->bursts == NULL || call->keys == NULL || call->numbers == NULL ||
        script_init(&call->script, &scripts_charge, count, 1 + count * NUMBERS) !=
            STATUS_OK) {
        charge_call_free(call);
        return NULL;
    }
    script_set_argument(&call->script, 0, commit ? "1" : "0");
    return call;
}

void charge_call_free(struct charge_call *call)
{
    if (call == NULL)
        return;
    script_clear(&call->script);
    free(call->bursts);
    free(call->keys);
    free(call->numbers);
    free(call);
}

void charge_call_add(struct charge_call *call, const char *key,
                     const struct charge *charge)
{
    size_t i = call->added++;
    assert(i < call->count && strlen(key) < call->key_size);
    char *copy = call->keys + i * call->key_size;
    (void)snprintf(copy, call->key_size, "%s", key);
    script_set_key(&call->script, i, copy);

    const int64_t numbers[NUMBERS] = {charge->cost, charge->rate->tokens,
                                      charge->rate->period_ms, charge->rate->burst,
                                      charge->monitor ? 1 : 0};
    for (size_t n = 0; n < NUMBERS; n++) {
        char *text = call->numbers + (i * NUMBERS + n) * NUMBER_SIZE;
        (void)snprintf(text, NUMBER_SIZE, "%" PRId64, numbers[n]);
        script_set_argument(&call->script, 1 + i * NUMBERS + n, text);
    }
    call->bursts[i] = charge->rate->burst;
}

static enum status take_reply(const struct charge_call *call, const redisReply *reply,
                              int64_t *out_left, struct error *error)
{
    if (wire_refuses(reply, "WRONGTYPE") || wire_refuses(reply, "CORRUPT"))
        return error_set(error, STATUS_INVALID, "%s", reply->str);
    if (reply->type == REDIS_REPLY_ERROR)
        return error_set(error, STATUS_UNAVAILABLE, "%s", reply->str);
    bool good = reply->type == REDIS_REPLY_ARRAY && reply->elements == call->count;
    for (size_t i = 0; good && i < call->count; i++)
        good = reply->element[i]->type == REDIS_REPLY_INTEGER &&
               reply->element[i]->integer >= 0 &&
               reply->element[i]->integer <= call->bursts[i];
    if (!good)
        return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
    for (size_t i = 0; i < call->count; i++)
        out_left[i] = reply->element[i]->integer;
    return STATUS_OK;
}

enum status charge_call_run(struct charge_call *call, struct wire *wire,
                            int64_t deadline_us, int64_t *out_left, struct error *error)
{
    redisReply *reply = NULL;
    assert(call->added == call->count);
    enum status status = script_run(&call->script, wire, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    status = take_reply(call, reply, out_left, error);
    freeReplyObject(reply);
    return status;
}
