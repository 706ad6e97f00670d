/* A row that is worth nothing counts as free, so a table needs no sweeping, and a flood
 * of new rows pushes out of a set what loses least there. */
#include "store/limiter_table.h"

#include <stdlib.h>
#include <string.h>

enum status limiter_table_init(struct limiter_table *table, size_t sets, size_t row_size,
                               struct loss (*loss)(const struct row *row, int64_t now_ms))
{
    unsigned char *rows = calloc(sets * LIMITER_TABLE_WAYS, row_size);
    if (rows == NULL)
        return STATUS_NOMEM;
    *table = (struct limiter_table){
        .rows = rows, .row_size = row_size, .sets = sets, .loss = loss};
    return STATUS_OK;
}

void limiter_table_clear(struct limiter_table *table)
{
    free(table->rows);
    *table = (struct limiter_table){0};
}

struct row *limiter_table_row(const struct limiter_table *table, size_t i)
{
    void *row = table->rows + i * table->row_size;
    return row;
}

static size_t first_of_set(const struct limiter_table *table, const struct memory_id *id)
{
    uint32_t hash;
    memcpy(&hash, id->bytes, sizeof hash);
    return hash % table->sets * LIMITER_TABLE_WAYS;
}

struct row *limiter_table_find(const struct limiter_table *table,
                               const struct memory_id *id)
{
    size_t first = first_of_set(table, id);
    for (size_t i = first; i < first + LIMITER_TABLE_WAYS; i++) {
        struct row *row = limiter_table_row(table, i);
        if (row->used && memcmp(&row->id, id, sizeof *id) == 0)
            return row;
    }
    return NULL;
}

bool limiter_table_is_less(struct loss a, struct loss b)
{
    return a.amount < b.amount || (a.amount == b.amount && a.since_ms < b.since_ms);
}

struct row *limiter_table_reserve(const struct limiter_table *table,
                                  const struct memory_id *id, int64_t now_ms)
{
    struct row *best = NULL;
    struct loss least = {0};
    size_t first = first_of_set(table, id);
    for (size_t i = first; i < first + LIMITER_TABLE_WAYS; i++) {
        struct row *row = limiter_table_row(table, i);
        if (row->held)
            continue;
        struct loss loss = {0};
        if (row->used)
            loss = table->loss(row, now_ms);
        if (best == NULL || limiter_table_is_less(loss, least)) {
            best = row;
            least = loss;
        }
        if (loss.amount == 0)
            break;
    }
    if (table->keeps && least.amount > 0)
        best = NULL;
    if (best != NULL)
        best->held = true;
    return best;
}

/* Each set becomes two, so there is a place for every row. */
enum status limiter_table_double(struct limiter_table *table)
{
    struct limiter_table larger;
    enum status status =
        limiter_table_init(&larger, table->sets * 2, table->row_size, table->loss);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < table->sets * LIMITER_TABLE_WAYS; i++) {
        const struct row *row = limiter_table_row(table, i);
        if (!row->used)
            continue;
        size_t to = first_of_set(&larger, &row->id);
        while (limiter_table_row(&larger, to)->used)
            to++;
        memcpy(limiter_table_row(&larger, to), row, table->row_size);
    }
    larger.keeps = table->keeps;
    limiter_table_clear(table);
    *table = larger;
    return STATUS_OK;
}
