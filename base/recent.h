/* Texts that were met lately, by their hashes, in a table of fixed size. */
#ifndef BASE_RECENT_H
#define BASE_RECENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

enum { RECENT_MAX = 256 };

struct recent {
    pthread_mutex_t mutex;
    struct digest_key key;
    int64_t within_ms;
    struct recent_met {
        uint8_t hash[DIGEST_BYTES];
        int64_t at_ms; /* 0: free */
    } met[RECENT_MAX];
};

void recent_init(struct recent *recent, int64_t within_ms);
void recent_destroy(struct recent *recent);

/* Whether the text was added in the last within_ms; if not, adds it. The oldest is
 * forgotten when there are too many. Any clock. */
bool recent_has(struct recent *recent, const char *text, int64_t now_ms);

#endif
