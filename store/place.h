/* Where a server listens: as the configuration, a Sentinel or a Cluster says. */
#ifndef STORE_PLACE_H
#define STORE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

enum { PLACE_TEXT_SIZE = 300 };

struct place {
    char host[256]; /* "": path is a unix socket */
    int port;
    bool tls;
    char path[108];
};

/* Reads "tcp:HOST:PORT" or "tls:HOST:PORT", an IPv6 address in brackets, or "unix:PATH".
 */
bool place_parse(const char *text, struct place *out);

/* Reads HOST and PORT apart, as from says them: who is asked over TLS names a server that
 * is, too. from and out may be the same. */
bool place_set(const struct place *from, const char *host, size_t host_length,
               const char *port, struct place *out);

bool place_equal(const struct place *a, const struct place *b);

/* As place_parse reads it. Returns out. */
const char *place_print(const struct place *place, char out[PLACE_TEXT_SIZE]);

#endif
