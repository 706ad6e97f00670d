/* All relays are asked before any answer is awaited, so that they work at the same time.
 */
#include "control/relays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/order.h"
#include "quarantine/record.h"

enum { RELAYS_MAX = 100, STORE_MS = 5000 };

/* A relay that has not announced itself for that long is no relay any more. */
static const int64_t FRESH_MS = INT64_C(24) * 3600 * 1000;

/* Relays that are asked. */
struct asked_relays {
    const char *own; /* this relay's name: it is not asked */
    struct asked_relay {
        char host[ORDERS_HOST_SIZE];
        struct sent_order sent;
        enum status status; /* of the order */
        struct error error;
    } items[RELAYS_MAX];
    size_t count;
};

static enum status add_relay(void *context, const char *host, const char *nothing)
{
    struct asked_relays *asked = context;
    (void)nothing;
    if (strcmp(host, asked->own) == 0)
        return STATUS_OK;
    if (asked->count == RELAYS_MAX)
        return STATUS_LIMIT;
    (void)snprintf(asked->items[asked->count++].host, ORDERS_HOST_SIZE, "%s", host);
    return STATUS_OK;
}

static json_t *await_relay(struct request *request, struct asked_relay *relay)
{
    json_t *answer = NULL;
    json_t *shown = json_pack("{s:s}", "host", relay->host);
    if (relay->status == STATUS_OK)
        relay->status = order_await(request, &relay->sent, &answer, &relay->error);
    if (relay->status == STATUS_OK)
        (void)json_object_update(shown, answer);
    else
        (void)json_object_set_new(shown, "error", record_string(relay->error.text));
    json_decref(answer);
    return shown;
}

enum status relays_do(struct request *request, const char *what, const json_t *body,
                      json_t **out, struct error *error)
{
    json_t *answers = json_array();
    struct asked_relays *asked = calloc(1, sizeof *asked);
    enum status status = asked == NULL || answers == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK)
        asked->own = request->context->host;
    if (status == STATUS_OK && request->context->orders != NULL)
        status = orders_relays(request->context->orders, clock_wall_ms() - FRESH_MS,
                               clock_deadline_us(STORE_MS), add_relay, asked);
    for (size_t i = 0; status == STATUS_OK && i < asked->count; i++) {
        struct asked_relay *relay = &asked->items[i];
        relay->status = order_send(request, relay->host, what, request->id,
                                   json_deep_copy(body), &relay->sent, &relay->error);
    }
    for (size_t i = 0; status == STATUS_OK && i < asked->count; i++)
        (void)json_array_append_new(answers, await_relay(request, &asked->items[i]));
    free(asked);
    if (status == STATUS_OK) {
        *out = answers;
        return status;
    }
    json_decref(answers);
    return error_set(error, status, "the other relays can't be asked: %s",
                     status == STATUS_UNAVAILABLE ? "the store does not answer"
                     : status == STATUS_NOMEM     ? "out of memory"
                                                  : "there are too many");
}

static json_t *optional(const char *text)
{
    return text[0] == '\0' ? json_null() : record_string(text);
}

/* What a relay says of itself (daemon/taker.c): each null where it does not. */
static json_t *relay_json(const char *host, const char *facts)
{
    char version[40] = "", rules[DIGEST_HEX_SIZE] = "", key[DIGEST_HEX_SIZE] = "";
    long holds = -1;
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    (void)sscanf(facts, "%39s %32s %32s %ld", version, rules, key, &holds);
    json_t *relay = json_pack("{s:o, s:b, s:o, s:o, s:o}", "host", record_string(host),
                              "answers", 0, "version", optional(version), "rules",
                              optional(rules), "key", optional(key));
    (void)json_object_set_new(relay, "holds",
                              holds < 0 ? json_null() : json_integer(holds));
    return relay;
}

static enum status enter_relay(void *relays, const char *host, const char *facts)
{
    return json_object_set_new(relays, host, relay_json(host, facts)) == 0 ? STATUS_OK
                                                                           : STATUS_NOMEM;
}

static enum status mark_relay(void *relays, const char *host, const char *facts)
{
    json_t *relay = json_object_get(relays, host);
    if (relay == NULL && enter_relay(relays, host, facts) == STATUS_OK)
        relay = json_object_get(relays, host);
    return json_object_set_new(relay, "answers", json_true()) == 0 ? STATUS_OK
                                                                   : STATUS_NOMEM;
}

json_t *relays_list(const struct request *request)
{
    const char *host;
    json_t *relay;
    struct orders *orders = request->context->orders;
    int64_t now_ms = clock_wall_ms();
    int64_t deadline_us = request_deadline_us();
    json_t *relays = json_object();
    json_t *array = json_array();
    bool known =
        orders == NULL || (orders_relays(orders, now_ms - FRESH_MS, deadline_us,
                                         enter_relay, relays) == STATUS_OK &&
                           orders_relays(orders, now_ms - ORDERS_LIFE_MS, deadline_us,
                                         mark_relay, relays) == STATUS_OK);
    (void)mark_relay(relays, request->context->host, "");
    json_object_foreach(relays, host, relay)(void) json_array_append(array, relay);
    json_decref(relays);
    if (known)
        return array;
    json_decref(array);
    return json_null();
}
