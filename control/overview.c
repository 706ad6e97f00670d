/* Counted when asked for. */
#include "control/overview.h"

#include <stdio.h>

#include "base/clock.h"

static void read_ledger(const struct request *request, struct overview *out)
{
    struct store *store = request->context->store;
    enum status status = ledger_list_count(request->context->ledger,
                                           request_list_deadline_us(), &out->numbers);
    out->known = status == STATUS_OK;
    /* Asked afterwards, so that the two agree: a store that failed meanwhile is away, and
     * one that answers has a reason for the numbers it did not give. */
    enum store_state state = store_state(store);
    out->store_state = overview_store_state(state);
    if (!out->known && state == STORE_STATE_OK && !store_complaint(store, out->complaint))
        (void)snprintf(out->complaint, sizeof out->complaint, "%s",
                       status == STATUS_LIMIT ? "there are too many"
                                              : "they were not read in time");
}

static void read_lists(const struct directory *directory, int64_t now_ms,
                       struct overview *out)
{
    int64_t oldest_ms = now_ms;
    for (uint32_t i = 0; i < directory_list_count(directory); i++) {
        const struct list *list = directory_list(directory, i);
        out->lists_ok += list->state == LIST_OK;
        out->lists_stale += list->state == LIST_STALE;
        out->lists_shrunk += list->state == LIST_SHRUNK;
        out->lists_grown += list->state == LIST_GROWN;
        out->lists_unknown += list->state == LIST_UNKNOWN;
        if (list->size > out->largest_list)
            out->largest_list = list->size;
        if (list->state != LIST_UNKNOWN && list->read_at_ms < oldest_ms)
            oldest_ms = list->read_at_ms;
    }
    out->oldest_read_s = (now_ms - oldest_ms) / 1000;
}

/* In force, or to come. */
static size_t count_permits(struct active_brakes *active, int64_t now_ms)
{
    size_t count = 0;
    const struct brakes *brakes = active_brakes_take(active);
    for (size_t i = 0; i < brakes->permit_count; i++)
        count += brakes->permits[i].until_ms > now_ms;
    active_brakes_release(active, brakes);
    return count;
}

const char *overview_store_state(enum store_state state)
{
    static const char *const names[] = {
        [STORE_STATE_OK] = "ok",
        [STORE_STATE_LOCAL] = "local",
        [STORE_STATE_DOWN] = "down",
    };
    return names[state];
}

void overview_read(const struct request *request, struct overview *out)
{
    const struct control_context *context = request->context;
    int64_t now_ms = clock_wall_ms();
    *out = (struct overview){
        .store_type =
            request->settings->store.type == STORE_TYPE_REDIS ? "redis" : "memory",
        .uptime_s = (clock_monotonic_us() - context->started_us) / 1000000,
    };
    read_ledger(request, out);
    read_lists(request->snapshot->directory, now_ms, out);
    json_t *brakes = active_brakes_json(context->active_brakes, now_ms);
    out->brakes = json_array_size(brakes);
    json_decref(brakes);
    out->permits = count_permits(context->active_brakes, now_ms);
}
