/* Memory for the clients in a table of sets: as much as a set needs, and no more for all
 * of them than a bound. No lock, no I/O. */
#ifndef STORE_CLIENT_PLACES_H
#define STORE_CLIENT_PLACES_H

#include "store/rows.h"

/* A place is 16 bytes. */
enum { CLIENT_PLACES_MAX = 1 << 20 };

/* Zero-initialise; the table's rows own what is counted here. */
struct client_places {
    size_t used;
    size_t hand; /* the row of the table at which the search for places goes on */
};

/* Makes room in a row for one client more than it has, up to so many as the request's set
 * is to remember. Without places left, other sets are forgotten: of each few dozen the
 * one that loses least, never one that is held. False when out of memory; the row is as
 * it was.
 */
bool client_places_make(struct client_places *places, const struct limiter_table *table,
                        struct row *row, const struct limiter_request *request,
                        int64_t now_ms) MUST_CHECK;

/* Frees what the rows of a table own. */
void client_places_clear(struct client_places *places, const struct limiter_table *table);

#endif
