/* A few hundred keys a call, so that Redis keeps others waiting for a millisecond, not
 * for a second. A call that fails is not known to have been run, and what is owed stays
 * so. */
#include "store/epoch/restore.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/detour.h"
#include "store/script.h"

enum { STEP = 200 }; /* keys */
static const int64_t TTL_MAX_MS = INT64_C(10000000000000);

/* What one call says of one key. */
struct entry_words {
    struct text key, ttl, numbers, value;
};

struct step {
    struct last_seen_record *records; /* STEP */
    struct entry_words *words;        /* as many */
    size_t count;
};

static void print_bucket(const struct last_seen_record *record, struct text *out)
{
    const struct bucket *bucket = &record->state.bucket;
    text_printf(out, "%" PRId64 " %" PRId64 " %" PRId64, bucket->level, bucket->rest,
                bucket->stamp_ms);
    if (record->state.latch_end_ms > 0)
        text_printf(out, " %" PRId64, record->state.latch_end_ms);
}

static void print_window(const struct last_seen_record *record, struct text *out)
{
    const struct window *window = &record->state.window;
    text_printf(out, "%c %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                window->braked ? 'W' : 'w', window->start_ms, window->copies,
                window->trained, record->state.latch_end_ms);
    for (size_t i = 0; i < window->past_count; i++)
        text_printf(out, " %" PRId64 ":%" PRId64, window->past[i].end_ms,
                    window->past[i].copies);
}

static void print_clients(const struct last_seen_record *record, struct text *out)
{
    text_printf(out, "c %" PRId64, record->state.latch_end_ms);
    for (size_t i = 0; i < record->client_count; i++)
        text_printf(out, " %" PRId64 ":%" PRId64, record->clients[i].client,
                    record->clients[i].stamp_ms);
}

/* How long after it was seen a bucket is full. */
static int64_t ms_to_full(const struct bucket *bucket, const struct rate *rate)
{
    int64_t missing = rate->burst - bucket->level;
    if (rate->tokens == 0 || missing <= 0)
        return 0;
    int64_t periods = missing / rate->tokens;
    if (periods >= TTL_MAX_MS / rate->period_ms)
        return TTL_MAX_MS;
    return periods * rate->period_ms +
           missing % rate->tokens * rate->period_ms / rate->tokens + 1;
}

/* For how many ms the value matters, if that is plain; else 0, and the store looks
 * closer.
 */
static int64_t ttl_ms(const struct last_seen_record *record)
{
    const struct limiter_request *request = &record->request;
    const struct window *window = &record->state.window;
    const struct surge *surge = &request->surge;
    int64_t stamp_ms = record->state.bucket.stamp_ms;
    int64_t end_ms = 0;
    if (stamp_ms == 0 || record->debt > 0 || record->state.latch_end_ms > 0 ||
        request->has_clients)
        return 0;
    if (!request->is_window)
        end_ms = stamp_ms + ms_to_full(&record->state.bucket, &request->rate);
    else if (window_is_open(window) && window->past_count == 0 &&
             window->copies + window->trained <= surge->floor * 1000 / surge->factor)
        end_ms = window->start_ms + surge->window_ms; /* no usual one */
    int64_t now_ms = stamp_ms + (clock_monotonic_us() - record->seen_us) / 1000;
    return end_ms > now_ms ? end_ms - now_ms : 0;
}

/* As restore.lua reads it. */
static void print(const struct last_seen_record *record, const char *prefix,
                  struct entry_words *out)
{
    const struct limiter_request *request = &record->request;
    const struct surge *surge = &request->surge;
    const struct rate *rate = &request->rate;
    int flags = request->is_window     ? CHARGE_FLAG_WINDOW
                : request->has_clients ? CHARGE_FLAG_WINDOW | CHARGE_FLAG_CLIENTS
                                       : 0;
    text_reset(&out->key);
    text_reset(&out->ttl);
    text_reset(&out->numbers);
    text_reset(&out->value);
    text_printf(&out->key, "{%s}:b:%s", prefix, record->name);
    text_printf(&out->ttl, "%" PRId64, ttl_ms(record));
    text_printf(
        &out->numbers, "%d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
        flags, request->is_window ? surge->factor : rate->tokens,
        request->is_window ? surge->window_ms : rate->period_ms,
        request->is_window ? surge->floor : rate->burst, request->latch_ms, record->debt);
    if (request->is_window)
        print_window(record, &out->value);
    else if (request->has_clients)
        print_clients(record, &out->value);
    else
        print_bucket(record, &out->value);
}

/* The next entries of the list, from *at on. */
static void fill(struct step *step, struct last_seen *seen, const uint32_t *list,
                 size_t count, size_t *at)
{
    step->count = 0;
    for (; *at < count && step->count < STEP; ++*at)
        step->count += last_seen_copy(seen, list[*at], &step->records[step->count]);
}

static bool print_step(struct step *step, const struct restore *restore,
                       struct script_call *call)
{
    bool whole = true;
    script_set_argument(call, 0, restore->lost ? "1" : "0");
    for (size_t i = 0; i < step->count; i++) {
        struct entry_words *words = &step->words[i];
        print(&step->records[i], restore->prefix, words);
        whole = whole && !words->key.failed && !words->ttl.failed &&
                !words->numbers.failed && !words->value.failed;
        script_set_key(call, i, text_string(&words->key));
        script_set_argument(call, 3 * i + 1, text_string(&words->ttl));
        script_set_argument(call, 3 * i + 2, text_string(&words->numbers));
        script_set_argument(call, 3 * i + 3, text_string(&words->value));
    }
    return whole;
}

/* What a key's own data makes impossible is left out there. */
static enum status take_reply(redisReply *reply, size_t *out_changed, int64_t *out_now_ms,
                              struct error *error)
{
    enum status status = STATUS_OK;
    if (detour_is_moving(reply))
        status = STATUS_CONFLICT;
    else if (reply->type == REDIS_REPLY_ERROR)
        status = connection_refusal(reply, error);
    else if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
             reply->element[0]->type != REDIS_REPLY_INTEGER ||
             reply->element[1]->type != REDIS_REPLY_INTEGER)
        status = error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
    else {
        *out_changed += (size_t)reply->element[0]->integer;
        *out_now_ms = reply->element[1]->integer;
    }
    freeReplyObject(reply);
    return status;
}

static enum status send_step(struct step *step, const struct restore *restore,
                             struct connection *connection, size_t *out_changed,
                             int64_t *out_now_ms, struct error *error)
{
    struct script_call call;
    redisReply *reply = NULL;
    enum status status =
        script_init(&call, &scripts_restore, step->count, 1 + 3 * step->count);
    if (status != STATUS_OK)
        return status;
    status = print_step(step, restore, &call)
                 ? script_run(&call, connection, clock_deadline_us(restore->step_ms),
                              &reply, error)
                 : STATUS_NOMEM;
    script_clear(&call);
    return status == STATUS_OK ? take_reply(reply, out_changed, out_now_ms, error)
                               : status;
}

static void clear_step(struct step *step)
{
    for (size_t i = 0; i < STEP && step->words != NULL; i++) {
        text_clear(&step->words[i].key);
        text_clear(&step->words[i].ttl);
        text_clear(&step->words[i].numbers);
        text_clear(&step->words[i].value);
    }
    free(step->words);
    free(step->records);
}

enum status restore_write(const struct restore *restore, struct connection *connection,
                          size_t *out_changed, struct error *error)
{
    struct last_seen *seen = restore->seen;
    uint32_t *list = NULL;
    size_t count = 0;
    size_t at = 0;
    *out_changed = 0;
    enum status status = last_seen_list(seen, restore->since_us, &list, &count);
    if (status != STATUS_OK || count == 0) {
        free(list);
        return status;
    }
    struct step step = {.records = calloc(STEP, sizeof *step.records),
                        .words = calloc(STEP, sizeof *step.words)};
    if (step.records == NULL || step.words == NULL)
        status = STATUS_NOMEM;
    while (status == STATUS_OK && at < count) {
        fill(&step, seen, list, count, &at);
        if (step.count == 0)
            continue;
        int64_t now_ms = 0;
        int64_t now_us = clock_monotonic_us();
        status = send_step(&step, restore, connection, out_changed, &now_ms, error);
        for (size_t i = 0; i < step.count && status == STATUS_OK; i++)
            last_seen_pay(seen, &step.records[i], now_ms, now_us);
    }
    clear_step(&step);
    free(list);
    return status;
}
