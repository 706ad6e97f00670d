/* The other end of a connection: who it is, its order, and the reply. */
#ifndef HELPER_MTA_PEER_H
#define HELPER_MTA_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"
#include "base/text.h"

struct mta_peer {
    int fd;
    uid_t uid;
    int64_t deadline_us; /* monotonic, for its whole order */
    struct text received;
};

/* Asks the kernel who connected (SO_PEERCRED). The descriptor is the peer's from then on,
 * whatever the result. */
enum status mta_peer_init(struct mta_peer *peer, int fd, int64_t deadline_us) MUST_CHECK;

/* Reads into received: a line at least, or all until the peer shuts down writing. INVALID
 * when it is longer than max bytes or no whole line, UNAVAILABLE when the peer stays
 * silent or is gone. */
enum status mta_peer_read(struct mta_peer *peer, bool all, size_t max,
                          struct error *error) MUST_CHECK;

/* Whether it still waits for the reply. */
bool mta_peer_waits(const struct mta_peer *peer);

/* Sends it as far as the peer takes it in time. */
void mta_peer_send(const struct mta_peer *peer, const struct text *reply);

void mta_peer_clear(struct mta_peer *peer);

#endif
