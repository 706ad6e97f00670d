/* Reads what is in force from the store. */
#ifndef QUARANTINE_BRAKE_READER_H
#define QUARANTINE_BRAKE_READER_H

#include "policy/brake.h"
#include "policy/domains.h"
#include "store/documents.h"

/* All borrowed. */
struct brake_reader {
    struct store *store;
    const struct domains *own;
    int64_t now_ms;
    int64_t deadline_us;   /* monotonic */
    struct brakes *brakes; /* what is read is added */
    uint64_t sum;          /* of the documents that were added, in whatever order */
};

/* All that is in the store or was put off, sorted. UNAVAILABLE, NOMEM. */
enum status brake_reader_read(struct brake_reader *reader) MUST_CHECK;

/* The same of what was put off alone. */
enum status brake_reader_read_put_off(struct brake_reader *reader) MUST_CHECK;

/* Writes what was put off. UNAVAILABLE: the store is still away. */
enum status brake_reader_write_put_off(struct brake_reader *reader) MUST_CHECK;

#endif
