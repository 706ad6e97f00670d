/* Counted when asked for; a few thousand records at most. */
#include "admin/overview.h"

#include "base/clock.h"

static void read_ledger(const struct request *request, struct overview *out)
{
    size_t i;
    const json_t *incident;
    json_t *holds = NULL;
    json_t *incidents = NULL;
    struct ledger *ledger = request->context->ledger;
    int64_t deadline_us = request_deadline_us();
    out->known = ledger_holds(ledger, false, deadline_us, &holds) == STATUS_OK &&
                 ledger_incidents(ledger, deadline_us, &incidents) == STATUS_OK;
    if (out->known) {
        out->holds = json_array_size(holds);
        out->incidents = json_array_size(incidents);
        json_array_foreach(incidents, i, incident) out->incidents_open +=
            json_is_true(json_object_get(incident, "open"));
    }
    json_decref(holds);
    json_decref(incidents);
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
        out->lists_unknown += list->state == LIST_UNKNOWN;
        if (list->size > out->largest_list)
            out->largest_list = list->size;
        if (list->state != LIST_UNKNOWN && list->read_at_ms < oldest_ms)
            oldest_ms = list->read_at_ms;
    }
    out->oldest_read_s = (now_ms - oldest_ms) / 1000;
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
        .store_state = overview_store_state(store_state(context->store)),
        .uptime_s = (clock_monotonic_us() - context->started_us) / 1000000,
    };
    read_ledger(request, out);
    read_lists(request->snapshot->directory, now_ms, out);
    json_t *brakes = board_json(context->board, now_ms);
    out->brakes = json_array_size(brakes);
    json_decref(brakes);
}
