/* Walks over what was found, as charge.lua does: every charge above the first that fires
 * and is not monitored, and that one, may latch; all are charged if there is none. */
#include "store/limiter_request.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "store/node_quota.h"

struct limiter_request limiter_request_make(const struct charge *charge, int nodes)
{
    struct limiter_request request = {.is_window = charge->surge != NULL,
                                      .has_clients = charge->clients,
                                      .cost = charge->cost,
                                      .latch_ms = charge->latch_ms,
                                      .monitor = charge->monitor,
                                      .trains = charge->trains,
                                      .along = charge->along,
                                      .permit = charge->permit};
    assert((charge->surge == NULL) != (charge->rate == NULL));
    if (request.is_window) {
        request.surge = *charge->surge;
        if (nodes > 0) {
            request.surge = node_quota_surge(charge->surge, nodes);
            request.whole = charge->surge->floor;
            request.nodes = nodes;
        }
    } else if (nodes > 0 && request.has_clients) {
        request.rate = node_quota_clients(charge->rate, nodes);
        request.whole = charge->rate->burst;
    } else {
        request.rate = nodes > 0 ? node_quota_rate(charge->rate, nodes) : *charge->rate;
    }
    return request;
}

enum status limiter_request_client(const struct digest_key *key,
                                   const struct charge *charge, int64_t *out)
{
    char buffer[400];
    uint8_t hash[DIGEST_BYTES];
    uint64_t number;
    struct text name = text_on(buffer, sizeof buffer);
    if (charge->client == NULL) {
        *out = 0;
        return STATUS_OK;
    }
    text_add_string(&name, charge->client);
    text_add_byte(&name, ' ');
    text_add_string(&name, charge->subject);
    enum status status = name.failed ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK) {
        digest_bytes(key, name.data, name.length, hash);
        memcpy(&number, hash, sizeof number);
        *out = (int64_t)(number % CLIENT_NUMBER_MAX) + 1;
    }
    text_clear(&name);
    return status;
}

static size_t find_decider(const struct limiter_request *requests, size_t count,
                           const struct charge_outcome *outcomes)
{
    for (size_t i = 0; i < count; i++)
        if (!requests[i].monitor && charge_outcome_fires(&outcomes[i]))
            return i;
    return count;
}

/* The last whose cost is known to be going out when that one decides: the other charges
 * of its rule come along. */
static size_t find_end(const struct limiter_request *requests, size_t count,
                       size_t decider)
{
    size_t end = decider;
    while (end + 1 < count && requests[end + 1].along)
        end++;
    return end;
}

/* Whether a cost is of no account: no bucket could have let it pass; or it is only the
 * share of a window or set that is too small for it. */
static bool is_beyond(const struct limiter_request *request,
                      const struct charge_outcome *outcome)
{
    if (request->has_clients)
        return !outcome->fits && request->cost <= outcome->whole;
    return request->cost > outcome->burst &&
           (!request->is_window || request->cost <= outcome->whole);
}

/* The first permit that has room; count when there is none. */
static size_t find_permit(const struct limiter_request *requests, size_t count,
                          const struct charge_outcome *outcomes)
{
    for (size_t i = 0; i < count && requests[i].permit; i++)
        if (outcomes[i].fits)
            return i;
    return count;
}

/* Only the permit is drawn from. */
static void settle_permit(const struct limiter_request *requests, size_t count,
                          size_t permit, enum charge_mode mode,
                          struct limiter_effect *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (struct limiter_effect){
            .takes = mode != CHARGE_PEEK && i == permit,
            .learns =
                mode != CHARGE_PEEK && requests[i].is_window && requests[i].cost > 0,
        };
}

void limiter_request_settle(const struct limiter_request *requests, size_t count,
                            const struct charge_outcome *outcomes, enum charge_mode mode,
                            struct limiter_effect *out)
{
    size_t permit = find_permit(requests, count, outcomes);
    if (permit < count) {
        settle_permit(requests, count, permit, mode, out);
        return;
    }
    size_t decider = find_decider(requests, count, outcomes);
    size_t end = find_end(requests, count, decider);
    bool accepted = mode == CHARGE_TAKE && decider == count;
    for (size_t i = 0; i < count; i++) {
        bool reached = mode != CHARGE_PEEK && i <= decider;
        bool room = requests[i].is_window || outcomes[i].fits;
        bool trained = mode != CHARGE_PEEK && i <= end && requests[i].is_window &&
                       requests[i].trains;
        out[i] = (struct limiter_effect){
            .takes = requests[i].cost > 0 && ((accepted && room) || trained),
            .latches = reached && requests[i].latch_ms > 0 &&
                       charge_outcome_fires(&outcomes[i]) &&
                       !is_beyond(&requests[i], &outcomes[i]),
            .brakes = mode != CHARGE_PEEK && i == decider && requests[i].is_window &&
                      !requests[i].trains && !is_beyond(&requests[i], &outcomes[i]),
        };
    }
}
