/* The accepted sizes of lists as records, and as a file, so that they outlive a restart.
 */
#ifndef LISTS_JUMPS_FILE_H
#define LISTS_JUMPS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/intern.h"
#include "base/status.h"

enum jump_state { JUMP_NONE, JUMP_GROWN, JUMP_SHRUNK };

struct jump_record {
    bool known; /* else it is not kept */
    enum jump_state state;
    uint64_t was, size; /* last accepted; now */
    int64_t notified;   /* of this jump, bits */
    int64_t gone_ms;    /* wall time since which there is no such list; 0: there is */
    /* not kept: */
    uint32_t pass;  /* that saw it last */
    bool accepted;  /* it had shrunk; by hand, and not imported since */
    bool forgotten; /* jump_records_compact drops it */
};

/* Zero-initialise; clear when done. */
struct jump_records {
    struct intern *addresses; /* the number of an address is that of its record */
    struct jump_record *items;
    size_t count;
    char checksum[DIGEST_HEX_SIZE]; /* of the file, "" for none */
};

/* The record of an address, found or added. NOMEM or LIMIT. */
enum status jump_records_open(struct jump_records *records, const char *address,
                              size_t length, uint32_t *out) MUST_CHECK;
void jump_records_clear(struct jump_records *records);

/* Drops the forgotten ones; the others get new numbers. Without memory they all stay. */
void jump_records_compact(struct jump_records *records);

/* Reads the file of a folder into records, which are empty and stay so on failure; its
 * copy if the file is gone or damaged. NOT_FOUND when there is neither, INVALID or IO
 * when both are of no use; NOMEM. error: what is wrong with the file, also when the copy
 * was read; no text if nothing is. */
enum status jumps_file_read(const char *folder, struct jump_records *records,
                            struct error *error) MUST_CHECK;

/* Writes both, unless they say so already; makes the folder. IO with a reason, or NOMEM.
 */
enum status jumps_file_write(const char *folder, struct jump_records *records,
                             struct error *error) MUST_CHECK;

#endif
