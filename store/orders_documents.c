/* The documents of an order, all written at once, and its signature. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/orders_parts.h"

static void name_part(const char *id, int part, char out[ORDERS_PART_ID_SIZE])
{
    (void)snprintf(out, ORDERS_PART_ID_SIZE, "%.16s.%d", id, part);
}

/* host NULL: it waits for nobody. */
void order_head_format(const struct order_head *head, const char *host,
                       char out[ORDERS_HEAD_SIZE])
{
    (void)snprintf(out, ORDERS_HEAD_SIZE, "%s%.255s\n%s %" PRId64 " %d %d %s",
                   host == NULL ? "" : "to:", host == NULL ? "" : host, head->state,
                   head->until_ms, head->parts, head->beat, head->signature);
}

bool order_head_parse(const char *value, struct order_head *out)
{
    const char *line = strchr(value, '\n');
    *out = (struct order_head){0};
    return line != NULL &&
           /* NOLINTNEXTLINE(cert-err34-c): saturates */
           sscanf(line + 1, "%7[a-z] %" SCNd64 " %d %d %32[0-9a-f]", out->state,
                  &out->until_ms, &out->parts, &out->beat, out->signature) == 5 &&
           out->parts > 0 && out->parts <= ORDERS_PARTS_MAX;
}

/* Ids of an order's documents, and their changes. */
struct bundle {
    char ids[ORDERS_PARTS_MAX][ORDERS_PART_ID_SIZE];
    char *values[ORDERS_PARTS_MAX];
    struct change changes[ORDERS_PARTS_MAX + 1];
    size_t count;
};

static enum status add_parts(struct bundle *bundle, const struct orders_write *write)
{
    size_t length = write->text == NULL ? 0 : strlen(write->text);
    int parts = write->text == NULL ? 0 : orders_count_parts(write->text);
    for (int i = 0; i < parts || i < write->before; i++) {
        size_t at = (size_t)i * ORDERS_PART_BYTES;
        name_part(write->id, i, bundle->ids[i]);
        if (i < parts && asprintf(&bundle->values[i], "\n%.*s", ORDERS_PART_BYTES,
                                  at < length ? write->text + at : "") < 0)
            return STATUS_NOMEM;
        bundle->changes[bundle->count++] =
            (struct change){.collection = COLLECTION_ORDERS,
                            .id = bundle->ids[i],
                            .value = bundle->values[i]};
    }
    return STATUS_OK;
}

enum status orders_write(struct orders *orders, const struct orders_write *write,
                         int64_t deadline_us)
{
    struct bundle *bundle = calloc(1, sizeof *bundle);
    if (bundle == NULL)
        return STATUS_NOMEM;
    bundle->changes[bundle->count++] = (struct change){.collection = COLLECTION_ORDERS,
                                                       .id = write->id,
                                                       .check = true,
                                                       .expected = write->expected,
                                                       .value = write->head};
    enum status status = add_parts(bundle, write);
    if (status == STATUS_OK)
        status = store_change(orders->store, bundle->changes, bundle->count, deadline_us);
    for (size_t i = 0; i < ORDERS_PARTS_MAX; i++)
        free(bundle->values[i]);
    free(bundle);
    return status;
}

int orders_count_parts(const char *text)
{
    size_t length = strlen(text);
    return length > ORDERS_TEXT_MAX ? -1
           : length == 0            ? 1
                         : (int)((length + ORDERS_PART_BYTES - 1) / ORDERS_PART_BYTES);
}

enum status orders_read(struct orders *orders, const char *id, int parts,
                        int64_t deadline_us, char **out)
{
    struct text text = {0};
    enum status status = STATUS_OK;
    for (int i = 0; i < parts && status == STATUS_OK; i++) {
        char part[ORDERS_PART_ID_SIZE];
        char *value = NULL;
        name_part(id, i, part);
        status = store_get(orders->store, COLLECTION_ORDERS, part, deadline_us, &value);
        if (status == STATUS_OK)
            text_add_string(&text, value[0] == '\n' ? value + 1 : value);
        free(value);
    }
    if (status != STATUS_OK) {
        text_clear(&text);
        return status;
    }
    text_add_string(&text, "");
    return text_take(&text, STATUS_OK, out);
}

/* ---- signatures ---- */

static bool sign(const struct orders *orders, const char *words, const char *text,
                 char out[DIGEST_HEX_SIZE])
{
    struct text all = {0};
    text_printf(&all, "%s\n", words);
    text_add_string(&all, text);
    bool made = !all.failed;
    digest_hex(&orders->key, text_string(&all), all.length, out);
    text_clear(&all);
    return made;
}

bool orders_sign_announcement(const struct orders *orders, const char *host,
                              const char *instance, int64_t at_ms,
                              char out[DIGEST_HEX_SIZE])
{
    char words[ORDERS_HOST_SIZE + 100];
    (void)snprintf(words, sizeof words, "relay %s %" PRId64, instance, at_ms);
    return sign(orders, words, host, out);
}

bool orders_sign(const struct orders *orders, const char *id, const char *host,
                 const char *instance, int64_t until_ms, const char *text,
                 char out[DIGEST_HEX_SIZE])
{
    char words[ORDERS_HOST_SIZE + 100];
    (void)snprintf(words, sizeof words, "order %s %s %s %" PRId64, id, instance, host,
                   until_ms);
    return sign(orders, words, text, out);
}

bool orders_sign_answer(const struct orders *orders, const char *id, const char *text,
                        char out[DIGEST_HEX_SIZE])
{
    char words[40];
    (void)snprintf(words, sizeof words, "answer %s", id);
    return sign(orders, words, text, out);
}
