/* A row's array grows twofold, and stays its own when another set moves in. */
#include "store/client_places.h"

#include <stdlib.h>

enum {
    FIRST = 4,   /* places; most people send from fewer clients */
    CHOICE = 32, /* sets of which one is forgotten */
};

static struct client_row *row_at(const struct limiter_table *table, size_t i)
{
    void *row = limiter_table_row(table, i);
    return row;
}

static void release(struct client_places *places, struct client_row *row)
{
    free(row->entries);
    places->used -= row->room;
    row->entries = NULL;
    row->room = row->count = 0;
}

/* Goes on from the hand. NULL: all rows that own places are held. */
static struct client_row *choose(struct client_places *places,
                                 const struct limiter_table *table, int64_t now_ms)
{
    const size_t rows = table->sets * LIMITER_TABLE_WAYS;
    struct client_row *best = NULL;
    struct loss least = {0};
    size_t seen = 0;
    for (size_t i = 0; i < rows && seen < CHOICE; i++) {
        struct client_row *row = row_at(table, places->hand);
        places->hand = (places->hand + 1) % rows;
        if (row->room == 0 || row->row.held)
            continue;
        struct loss loss = table->loss(&row->row, now_ms);
        seen++;
        if (best == NULL || limiter_table_is_less(loss, least)) {
            best = row;
            least = loss;
        }
    }
    return best;
}

/* A latch outlives the clients that it was set for. */
static bool make_room(struct client_places *places, const struct limiter_table *table,
                      size_t more, int64_t now_ms)
{
    while (places->used + more > CLIENT_PLACES_MAX) {
        struct client_row *row = choose(places, table, now_ms);
        if (row == NULL)
            return false;
        release(places, row);
    }
    return true;
}

bool client_places_make(struct client_places *places, const struct limiter_table *table,
                        struct row *row, const struct limiter_request *request,
                        int64_t now_ms)
{
    void *whole = row;
    struct client_row *clients = whole;
    const size_t most = rows_client_room(request);
    size_t room = clients->room == 0 ? FIRST : (size_t)clients->room * 2;
    size_t needed = rows_is_of(row, request) ? clients->count + (size_t)1 : 1;
    needed = needed < most ? needed : most;
    if (clients->room >= needed)
        return true;
    room = room < most ? room : most;
    if (!make_room(places, table, room - clients->room, now_ms))
        return false;
    struct client_entry *entries =
        realloc(clients->entries, room * sizeof *clients->entries);
    if (entries == NULL)
        return false;
    places->used += room - clients->room;
    clients->entries = entries;
    clients->room = (uint16_t)room;
    return true;
}

void client_places_clear(struct client_places *places, const struct limiter_table *table)
{
    for (size_t i = 0; places->used > 0 && i < table->sets * LIMITER_TABLE_WAYS; i++)
        release(places, row_at(table, i));
}
