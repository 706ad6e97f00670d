/* Taking orders. An order is obeyed if its signature is ours, over this process's own
 * name; anything else is removed, and said once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/orders_parts.h"
#include "store/scan.h"

/* Long after anybody waits, also where a relay's clock is wrong by hours. */
static const int64_t FORGOTTEN_MS = INT64_C(24) * 3600 * 1000;

void order_clear(struct order *order)
{
    free(order->text);
    free(order->head);
    *order = (struct order){0};
}

/* What has lapsed is refused anyway, unless the clock is set back. */
static void forget_lapsed(struct orders *orders, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < orders->used_count; i++)
        if (orders->used[i].until_ms > now_ms)
            orders->used[kept++] = orders->used[i];
    orders->used_count = kept;
}

/* True if the id was used before; else it is from now on. False, too, when too many are
 * known: *out_full. */
static bool is_used(struct orders *orders, const char *id, int64_t until_ms,
                    int64_t now_ms, bool *out_full)
{
    for (size_t i = 0; i < orders->used_count; i++)
        if (strcmp(orders->used[i].id, id) == 0)
            return true;
    if (orders->used_count == ORDERS_USED_MAX)
        forget_lapsed(orders, now_ms);
    *out_full = orders->used_count == ORDERS_USED_MAX;
    if (*out_full)
        return false;
    struct used_order *used = &orders->used[orders->used_count++];
    (void)snprintf(used->id, sizeof used->id, "%s", id);
    used->until_ms = until_ms;
    return false;
}

/* Why it is not obeyed; NULL: it is. */
static const char *find_fault(struct orders *orders, const char *id,
                              const struct order_head *head, const char *text,
                              int64_t now_ms)
{
    char signature[DIGEST_HEX_SIZE];
    bool full = false;
    if (!orders_sign(orders, id, orders->host, orders->instance, head->until_ms, text,
                     signature))
        return "out of memory";
    if (!digest_hex_equal(signature, head->signature))
        return "its signature is wrong: it is forged, of a relay with another key, or "
               "for the process before this one";
    if (head->until_ms <= now_ms)
        return "it has expired";
    if (is_used(orders, id, head->until_ms, now_ms, &full))
        return "it was carried out before";
    return full ? "there are too many" : NULL;
}

/* Claims an order, so that nobody else takes it, and it does not lapse. */
static enum status claim(struct orders *orders, const char *id, const char *value,
                         struct order_head *head, int64_t deadline_us, struct order *out)
{
    char written[ORDERS_HEAD_SIZE];
    (void)snprintf(head->state, sizeof head->state, "taken");
    order_head_format(head, NULL, written);
    const struct change change = {.collection = COLLECTION_ORDERS,
                                  .id = id,
                                  .check = true,
                                  .expected = value,
                                  .value = written};
    out->head = strdup(written);
    return out->head == NULL ? STATUS_NOMEM
                             : store_change(orders->store, &change, 1, deadline_us);
}

/* One of the order's documents may be gone by now: it lapsed. */
static enum status examine(struct orders *orders, const char *id, const char *value,
                           int64_t now_ms, int64_t deadline_us, struct order *out,
                           struct error *error)
{
    struct order_head head;
    char *text = NULL;
    const char *fault = "it is damaged";
    bool sound = order_head_parse(value, &head) && strcmp(head.state, "new") == 0;
    enum status status = sound ? orders_read(orders, id, head.parts, deadline_us, &text)
                               : STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        fault = find_fault(orders, id, &head, text, now_ms);
    if (status == STATUS_OK && fault == NULL) {
        (void)snprintf(out->id, sizeof out->id, "%.16s", id);
        out->text = text;
        status = claim(orders, id, value, &head, deadline_us, out);
        if (status != STATUS_OK)
            order_clear(out);
        return status;
    }
    free(text);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    const struct orders_write removal = {
        .id = id, .expected = value, .before = sound ? head.parts : 0};
    status = orders_write(orders, &removal, deadline_us);
    return status == STATUS_OK
               ? error_set(error, STATUS_INVALID, "order %.16s is refused: %s", id, fault)
               : status;
}

struct first {
    char *id, *value;
};

static enum status keep_first(void *context, const char *entry, const char *value)
{
    struct first *first = context;
    first->id = strdup(scan_id(entry));
    first->value = strdup(value);
    return STATUS_CONFLICT; /* one is enough */
}

enum status orders_take(struct orders *orders, int64_t now_ms, int64_t deadline_us,
                        struct order *out, struct error *error)
{
    char prefix[ORDERS_HOST_SIZE + 8];
    struct scan scan;
    struct first first = {0};
    *out = (struct order){0};
    (void)snprintf(prefix, sizeof prefix, "to:%s ", orders->host);
    scan_set(&scan, COLLECTION_ORDERS, prefix, NULL);
    enum status status = scan_page(orders->store, &scan, deadline_us, keep_first, &first);
    if (status == STATUS_OK)
        status = STATUS_NOT_FOUND;
    else if (status == STATUS_CONFLICT)
        status =
            first.id == NULL || first.value == NULL
                ? STATUS_NOMEM
                : examine(orders, first.id, first.value, now_ms, deadline_us, out, error);
    if (status == STATUS_CONFLICT) /* it lapsed just now */
        status = STATUS_NOT_FOUND;
    free(first.id);
    free(first.value);
    return status;
}

/* After a change whose result did not come, the head may be the one before or the one
 * after. CONFLICT: neither, so nobody waits for the order any more. */
static enum status read_again(struct orders *orders, struct order *order,
                              int64_t deadline_us)
{
    struct order_head head, ours;
    char *value = NULL;
    enum status status =
        store_get(orders->store, COLLECTION_ORDERS, order->id, deadline_us, &value);
    if (status == STATUS_OK && order_head_parse(value, &head) &&
        order_head_parse(order->head, &ours) && strcmp(head.state, ours.state) == 0 &&
        digest_hex_equal(head.signature, ours.signature)) {
        free(order->head);
        order->head = value;
        return STATUS_OK;
    }
    free(value);
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? STATUS_CONFLICT : status;
}

enum status orders_beat(struct orders *orders, struct order *order, int64_t deadline_us)
{
    struct order_head head;
    char written[ORDERS_HEAD_SIZE];
    if (!order_head_parse(order->head, &head))
        return STATUS_INVALID;
    head.beat++;
    order_head_format(&head, NULL, written);
    char *copy = strdup(written);
    const struct change change = {.collection = COLLECTION_ORDERS,
                                  .id = order->id,
                                  .check = true,
                                  .expected = order->head,
                                  .value = written};
    enum status status = copy == NULL
                             ? STATUS_NOMEM
                             : store_change(orders->store, &change, 1, deadline_us);
    if (status != STATUS_OK) {
        free(copy);
        return status == STATUS_CONFLICT ? read_again(orders, order, deadline_us)
                                         : status;
    }
    free(order->head);
    order->head = copy;
    return STATUS_OK;
}

enum status orders_answer(struct orders *orders, struct order *order, const char *answer,
                          int64_t deadline_us)
{
    struct order_head head;
    char written[ORDERS_HEAD_SIZE];
    int parts = orders_count_parts(answer);
    if (parts < 0)
        return STATUS_LIMIT;
    if (!order_head_parse(order->head, &head))
        return STATUS_INVALID;
    struct orders_write write = {.id = order->id,
                                 .expected = order->head,
                                 .head = written,
                                 .text = answer,
                                 .before = head.parts};
    (void)snprintf(head.state, sizeof head.state, "done");
    head.parts = parts;
    if (!orders_sign_answer(orders, order->id, answer, head.signature))
        return STATUS_NOMEM;
    order_head_format(&head, NULL, written);
    enum status status = orders_write(orders, &write, deadline_us);
    if (status != STATUS_CONFLICT)
        return status;
    status = read_again(orders, order, deadline_us);
    write.expected = order->head;
    return status == STATUS_OK ? orders_write(orders, &write, deadline_us) : status;
}

/* ---- what is left over ---- */

struct left_over {
    struct orders *orders;
    int64_t now_ms, deadline_us;
};

/* A part goes with its head; one without a head is nobody's. */
static enum status prune_one(void *context, const char *id, const char *value)
{
    struct order_head head;
    const struct left_over *left = context;
    struct store *store = left->orders->store;
    char *fresh = NULL;
    char owner[DIGEST_ID_SIZE];
    (void)snprintf(owner, sizeof owner, "%.*s", (int)strcspn(id, "."), id);
    if (strchr(id, '.') == NULL)
        fresh = strdup(value);
    else if (store_get(store, COLLECTION_ORDERS, owner, left->deadline_us, &fresh) ==
             STATUS_UNAVAILABLE)
        return STATUS_UNAVAILABLE;
    bool kept = fresh != NULL && order_head_parse(fresh, &head) &&
                head.until_ms > left->now_ms - FORGOTTEN_MS &&
                head.until_ms < left->now_ms + FORGOTTEN_MS;
    free(fresh);
    const struct change change = {.collection = COLLECTION_ORDERS, .id = id};
    return kept ? STATUS_OK : store_change(store, &change, 1, left->deadline_us);
}

enum status orders_prune(struct orders *orders, int64_t now_ms, int64_t deadline_us)
{
    struct left_over left = {orders, now_ms, deadline_us};
    return store_list(orders->store, COLLECTION_ORDERS, deadline_us, prune_one, &left);
}
