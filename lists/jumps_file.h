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
    uint32_t pass; /* that saw it last */
    bool accepted; /* by hand, and not imported since */
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

/* Reads the file of a folder into records, which are empty and stay so on failure.
 * NOT_FOUND when there is none, INVALID when it is damaged; IO or NOMEM, with a reason.
 */
enum status jumps_file_read(const char *folder, struct jump_records *records,
                            struct error *error) MUST_CHECK;

/* Writes it, unless it says so already; makes the folder. IO with a reason, or NOMEM. */
enum status jumps_file_write(const char *folder, struct jump_records *records,
                             struct error *error) MUST_CHECK;

#endif
