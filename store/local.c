/* Turns charges into requests to memory: the subject hashed, the limit cut down to this
 * relay's share. */
#include "store/local.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/epoch/last_seen.h"

/* Rule and subject in one keyed hash. */
static enum status make_id(const struct local *local, const struct charge *charge,
                           struct memory_id *out)
{
    char buffer[256];
    struct text name = text_on(buffer, sizeof buffer);
    text_add_string(&name, charge->fingerprint);
    text_add_byte(&name, ':');
    text_add_string(&name, charge->subject);
    enum status status = name.failed ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK)
        digest_quick(local->key, name.data, name.length, out->bytes);
    text_clear(&name);
    return status;
}

static bool is_mirrored(const struct charge *charge)
{
    return charge->latch_ms > 0 || charge->surge != NULL || charge->permit ||
           charge->clients;
}

/* What a request has of the message by keyed hashes: its id, and the client's number. */
static enum status identify(const struct local *local, const struct charge *charge,
                            struct limiter_request *request)
{
    enum status status = make_id(local, charge, &request->id);
    if (status == STATUS_OK && charge->clients)
        status = limiter_request_client(local->key, charge, &request->client);
    return status;
}

/* NULL when out of memory. With only_mirrored, the others get no id. */
static struct limiter_request *make_requests(const struct local *local,
                                             const struct charge *charges, size_t count,
                                             bool only_mirrored)
{
    enum status status = STATUS_OK;
    struct limiter_request *requests = malloc((count + 1) * sizeof *requests);
    for (size_t i = 0; requests != NULL && i < count && status == STATUS_OK; i++) {
        requests[i] = limiter_request_make(&charges[i], local->nodes);
        if (!only_mirrored || is_mirrored(&charges[i]))
            status = identify(local, &charges[i], &requests[i]);
    }
    if (status == STATUS_OK)
        return requests;
    free(requests);
    return NULL;
}

/* What a share took is taken from the whole when that is back. */
static enum status owe(const struct local *local, const struct charge *charges,
                       const struct limiter_request *requests, size_t count,
                       enum charge_mode mode, int64_t now_ms,
                       const struct charge_outcome *outcomes)
{
    int64_t now_us = clock_monotonic_us();
    struct limiter_effect *effects = malloc(count * sizeof *effects);
    if (effects == NULL)
        return STATUS_NOMEM;
    limiter_request_settle(requests, count, outcomes, mode, effects);
    for (size_t i = 0; i < count; i++)
        if (effects[i].takes)
            last_seen_owe(local->seen, &charges[i], requests[i].client, now_ms, now_us);
    free(effects);
    return STATUS_OK;
}

enum status local_charge(const struct local *local, const struct charge *charges,
                         size_t count, enum charge_mode mode, int64_t now_ms,
                         struct charge_outcome *out_outcomes)
{
    struct limiter_request *requests = make_requests(local, charges, count, false);
    if (requests == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < count && local->seen != NULL; i++)
        last_seen_bound(local->seen, &charges[i], local->nodes, now_ms,
                        clock_monotonic_us(), &requests[i]);
    enum status status =
        memory_charge(local->memory, requests, count, mode, now_ms, out_outcomes);
    if (status == STATUS_OK && local->seen != NULL)
        status = owe(local, charges, requests, count, mode, now_ms, out_outcomes);
    free(requests);
    return status;
}

enum status local_amend(const struct local *local, const struct charge *charges,
                        size_t count, enum amend what, int64_t now_ms)
{
    struct limiter_request *requests = make_requests(local, charges, count, false);
    if (requests == NULL)
        return STATUS_NOMEM;
    enum status status = memory_amend(local->memory, requests, count, what, now_ms);
    free(requests);
    return status;
}

enum status local_window(const struct local *local, const struct charge *charge,
                         int64_t now_ms, struct window *out)
{
    struct limiter_request *request = make_requests(local, charge, 1, false);
    if (request == NULL)
        return STATUS_NOMEM;
    memory_window(local->memory, request, now_ms, out);
    free(request);
    return STATUS_OK;
}

enum status local_recall(const struct local *local, const struct charge *charges,
                         size_t count, int64_t now_ms, struct local_mirror *out)
{
    struct local_mirror mirror = {.count = count};
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || is_mirrored(&charges[i]);
    if (any) {
        mirror.requests = make_requests(local, charges, count, true);
        mirror.carried = malloc(count * sizeof *mirror.carried);
        if (mirror.requests == NULL || mirror.carried == NULL) {
            local_mirror_clear(&mirror);
            return STATUS_NOMEM;
        }
        memory_recall(local->memory, mirror.requests, count, now_ms, mirror.carried);
    }
    *out = mirror;
    return STATUS_OK;
}

/* This relay's share of the largest past window. size is that window's copies times
 * factor / 1000, rounded down: the inverse, rounded up, is exact. */
static int64_t usual_share(const struct local *local,
                           const struct limiter_request *request, int64_t size)
{
    if (size <= request->whole)
        return 0;
    return (size * 1000 + request->surge.factor - 1) / request->surge.factor /
           local->nodes;
}

void local_learn(const struct local *local, const struct local_mirror *mirror,
                 enum charge_mode mode, int64_t now_ms,
                 const struct charge_outcome *outcomes)
{
    if (mirror->requests == NULL)
        return;
    struct observation *observations = malloc(mirror->count * sizeof *observations);
    struct limiter_effect *effects = malloc(mirror->count * sizeof *effects);
    if (observations != NULL && effects != NULL) {
        limiter_request_settle(mirror->requests, mirror->count, outcomes, mode, effects);
        for (size_t i = 0; i < mirror->count; i++) {
            const struct limiter_request *request = &mirror->requests[i];
            observations[i] = (struct observation){
                .latch_ms = effects[i].latches ? request->latch_ms : outcomes[i].latch_ms,
                .copies = request->is_window
                              ? usual_share(local, request, outcomes[i].burst)
                              : 0,
                .taken = request->has_clients && effects[i].takes,
                .reported = mirror->carried[i] > 0 && mode != CHARGE_PEEK};
            if (request->permit)
                observations[i].copies =
                    (outcomes[i].left - (effects[i].takes ? request->cost : 0)) /
                    local->nodes;
        }
        memory_mirror(local->memory, mirror->requests, observations, mirror->count,
                      now_ms);
    }
    free(observations);
    free(effects);
}

void local_mirror_clear(struct local_mirror *mirror)
{
    free(mirror->requests);
    free(mirror->carried);
    *mirror = (struct local_mirror){0};
}
