/* Sending an order and waiting for its answer. The store decides whether an order lapses
 * or is taken: the relay that asks removes it, the relay that obeys rewrites it, and one
 * of them comes first. */
#include "store/orders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/orders_parts.h"
#include "store/store.h"

enum { LOOK_MS = 50, STORE_MS = 2000 };

/* Strangers may choose what else is hashed: none of that can be taken for a signature. */
static void derive_key(const struct digest_key *key, struct digest_key *out)
{
    static const char use[] = "orders";
    uint8_t secret[DIGEST_KEY_BYTES + sizeof use];
    memcpy(secret, key->bytes, DIGEST_KEY_BYTES);
    memcpy(secret + DIGEST_KEY_BYTES, use, sizeof use);
    digest_key_derive(secret, sizeof secret, out);
}

struct orders *orders_new(struct store *store, const struct digest_key *key,
                          const char *host)
{
    struct orders *orders = calloc(1, sizeof *orders);
    if (orders == NULL)
        return NULL;
    orders->store = store;
    derive_key(key, &orders->key);
    (void)snprintf(orders->host, sizeof orders->host, "%s", host);
    digest_random_id(orders->instance);
    return orders;
}

void orders_free(struct orders *orders)
{
    free(orders);
}

/* ---- sending ---- */

#define RELAY_PREFIX "orders:"

/* A command that the store refuses is named. */
static enum status say_unsent(struct orders *orders, struct error *error,
                              const char *host, enum status status)
{
    char complaint[STORE_COMPLAINT_SIZE];
    const char *why = status == STATUS_NOMEM   ? "out of memory"
                      : status == STATUS_LIMIT ? "too much, or too many orders, at once"
                                               : "the store does not answer";
    if (status == STATUS_UNAVAILABLE && store_complaint(orders->store, complaint))
        why = complaint;
    return error_set(error, status, "%s can't be asked: %s", host, why);
}

/* What a relay has announced of itself. */
struct announcement {
    char instance[DIGEST_ID_SIZE];
    int64_t at_ms; /* by its clock */
    char signature[DIGEST_HEX_SIZE];
    char facts[ORDERS_FACTS_SIZE]; /* not signed */
};

static bool parse_announcement(const char *value, struct announcement *out)
{
    *out = (struct announcement){0};
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    return sscanf(value, "%16[0-9a-f] %" SCNd64 " %32[0-9a-f] %199[ -~]", out->instance,
                  &out->at_ms, out->signature, out->facts) >= 2;
}

static bool is_signed(const struct orders *orders, const char *host,
                      const struct announcement *relay)
{
    char signature[DIGEST_HEX_SIZE];
    return orders_sign_announcement(orders, host, relay->instance, relay->at_ms,
                                    signature) &&
           digest_hex_equal(signature, relay->signature);
}

static enum status find_relay(struct orders *orders, const char *host,
                              int64_t deadline_us, struct announcement *out,
                              struct error *error)
{
    char id[DOCUMENTS_ID_MAX + 1];
    char *value = NULL;
    (void)snprintf(id, sizeof id, RELAY_PREFIX "%.240s", host);
    enum status status =
        store_get(orders->store, COLLECTION_META, id, deadline_us, &value);
    bool ours = status == STATUS_OK && parse_announcement(value, out) &&
                is_signed(orders, host, out);
    free(value);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "%s does not answer: nothing was done there",
                         host);
    if (status != STATUS_OK)
        return say_unsent(orders, error, host, status);
    return ours ? status
                : error_set(error, STATUS_CONFLICT,
                            "%s has another key than this relay (privacy.key_file), or "
                            "its entry in the store is forged: nothing was done there",
                            host);
}

enum status orders_send(struct orders *orders, const char *host, const char *text,
                        int64_t deadline_us, struct sent_order *out, struct error *error)
{
    char written[ORDERS_HEAD_SIZE];
    struct announcement relay;
    int parts = orders_count_parts(text);
    struct order_head head = {.state = "new", .parts = parts};
    *out = (struct sent_order){0};
    digest_random_id(out->id);
    (void)snprintf(out->host, sizeof out->host, "%s", host);
    out->sent_us = clock_monotonic_us();
    if (parts < 0)
        return say_unsent(orders, error, host, STATUS_LIMIT);
    enum status status = find_relay(orders, host, deadline_us, &relay, error);
    if (status != STATUS_OK)
        return status;
    head.until_ms = relay.at_ms + ORDERS_VALID_MS;
    if (!orders_sign(orders, out->id, host, relay.instance, head.until_ms, text,
                     head.signature))
        return say_unsent(orders, error, host, STATUS_NOMEM);
    order_head_format(&head, host, written);
    const struct orders_write write = {.id = out->id, .head = written, .text = text};
    char refused[STORE_COMPLAINT_SIZE];
    status = orders_write(orders, &write, deadline_us);
    if (status == STATUS_UNAVAILABLE && !store_complaint(orders->store, refused))
        status = STATUS_OK; /* it may be there: who waits for the answer sees */
    return status == STATUS_OK ? status : say_unsent(orders, error, host, status);
}

/* What is known of an order that was sent. */
struct wait {
    char *head; /* as it was last seen; NULL: not yet */
    struct order_head parsed;
    int64_t news_us; /* when it last changed */
};

/* Removes an order, if its head is as it was seen. */
static enum status drop(struct orders *orders, const struct sent_order *sent,
                        const struct wait *wait)
{
    const struct orders_write write = {
        .id = sent->id, .expected = wait->head, .before = wait->parsed.parts};
    return orders_write(orders, &write, clock_deadline_us(STORE_MS));
}

/* An answer that is not signed is no answer. */
static enum status take_answer(struct orders *orders, const struct sent_order *sent,
                               const struct wait *wait, char **out, struct error *error)
{
    char signature[DIGEST_HEX_SIZE];
    char *text = NULL;
    int64_t until_us = clock_deadline_us(ORDERS_LIFE_MS);
    enum status status = STATUS_UNAVAILABLE;
    while (status == STATUS_UNAVAILABLE && clock_left_ms(until_us) > 0) {
        status = orders_read(orders, sent->id, wait->parsed.parts,
                             clock_deadline_us(STORE_MS), &text);
        if (status == STATUS_UNAVAILABLE)
            clock_sleep_ms(LOOK_MS);
    }
    (void)!drop(orders, sent, wait);
    if (status == STATUS_OK && orders_sign_answer(orders, sent->id, text, signature) &&
        digest_hex_equal(signature, wait->parsed.signature)) {
        *out = text;
        return STATUS_OK;
    }
    free(text);
    return error_set(error, STATUS_UNAVAILABLE,
                     "%s: its answer can't be trusted or read: it may have been done, "
                     "`mailbrake quarantine list` shows it",
                     sent->host);
}

/* Its time is over. Whoever wins the race for the order in the store is right. */
static enum status give_up(struct orders *orders, const struct sent_order *sent,
                           const struct wait *wait, struct error *error)
{
    bool waits = wait->head != NULL && strcmp(wait->parsed.state, "new") == 0;
    enum status status = waits ? drop(orders, sent, wait) : STATUS_UNAVAILABLE;
    if (status == STATUS_CONFLICT)
        return status; /* it was taken just now */
    if (status == STATUS_OK)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s does not answer: nothing was done there", sent->host);
    return error_set(error, STATUS_UNAVAILABLE,
                     wait->head == NULL || waits
                         ? "%s can't be asked any more: the store does not answer; what "
                           "it did, `mailbrake quarantine list` shows later"
                         : "%s does not answer any more: how far it came, `mailbrake "
                           "quarantine list` shows",
                     sent->host);
}

/* OK: there is news, or none yet. */
static enum status look(struct orders *orders, const struct sent_order *sent,
                        struct wait *wait, struct error *error)
{
    char *value = NULL;
    enum status status = store_get(orders->store, COLLECTION_ORDERS, sent->id,
                                   clock_deadline_us(STORE_MS), &value);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK && !order_head_parse(value, &wait->parsed))) {
        free(value);
        return error_set(error, STATUS_CONFLICT,
                         "%s did not accept the order: its log says why, unless the "
                         "store has lost it",
                         sent->host);
    }
    if (status != STATUS_OK || (wait->head != NULL && strcmp(wait->head, value) == 0)) {
        free(value);
        return status == STATUS_NOMEM ? error_set(error, status, "out of memory")
                                      : STATUS_OK;
    }
    if (wait->head != NULL || strcmp(wait->parsed.state, "new") != 0)
        wait->news_us = clock_monotonic_us();
    free(wait->head);
    wait->head = value;
    return STATUS_OK;
}

enum status orders_await(struct orders *orders, const struct sent_order *sent,
                         char **out_answer, struct error *error)
{
    struct wait wait = {.news_us = sent->sent_us};
    enum status status = STATUS_OK;
    for (;;) {
        status = look(orders, sent, &wait, error);
        if (status != STATUS_OK)
            break;
        if (wait.head != NULL && strcmp(wait.parsed.state, "done") == 0) {
            status = take_answer(orders, sent, &wait, out_answer, error);
            break;
        }
        if (clock_monotonic_us() > wait.news_us + ORDERS_LIFE_MS * INT64_C(1000)) {
            status = give_up(orders, sent, &wait, error);
            if (status != STATUS_CONFLICT)
                break;
            wait.news_us = clock_monotonic_us();
        }
        clock_sleep_ms(LOOK_MS);
    }
    free(wait.head);
    return status;
}

/* ---- relays ---- */

void orders_set_facts(struct orders *orders, const char *facts)
{
    (void)snprintf(orders->facts, sizeof orders->facts, "%s", facts);
}

enum status orders_announce(struct orders *orders, int64_t now_ms, int64_t deadline_us)
{
    char id[DOCUMENTS_ID_MAX + 1], signature[DIGEST_HEX_SIZE];
    char value[100 + ORDERS_FACTS_SIZE];
    (void)snprintf(id, sizeof id, RELAY_PREFIX "%.240s", orders->host);
    if (!orders_sign_announcement(orders, orders->host, orders->instance, now_ms,
                                  signature))
        return STATUS_NOMEM;
    (void)snprintf(value, sizeof value, "%s %" PRId64 " %s%s%s", orders->instance, now_ms,
                   signature, orders->facts[0] == '\0' ? "" : " ", orders->facts);
    const struct change change = {
        .collection = COLLECTION_META, .id = id, .value = value};
    return store_change(orders->store, &change, 1, deadline_us);
}

struct relays {
    int64_t since_ms;
    store_each *each;
    void *context;
};

static enum status pass_relay(void *context, const char *id, const char *value)
{
    const struct relays *relays = context;
    const char *host = text_after(id, RELAY_PREFIX);
    struct announcement relay;
    if (host == NULL || !parse_announcement(value, &relay) ||
        relay.at_ms < relays->since_ms)
        return STATUS_OK;
    return relays->each(relays->context, host, relay.facts);
}

enum status orders_relays(struct orders *orders, int64_t since_ms, int64_t deadline_us,
                          store_each *each, void *context)
{
    struct relays relays = {since_ms, each, context};
    return store_list(orders->store, COLLECTION_META, deadline_us, pass_relay, &relays);
}
