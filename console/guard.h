/* Who may ask at all: what the header fields of a request must say before its path is
 * looked at. Pure, so that every attack is a line of a test. */
#ifndef CONSOLE_GUARD_H
#define CONSOLE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Where the page is served. Borrowed. */
struct guard {
    const char *scheme;       /* "http" or "https": of its Origin */
    const char *const *hosts; /* names and addresses without a port, lower case */
    size_t host_count;
};

/* Of a request; NULL: it has no such field. Borrowed. */
struct guard_fields {
    const char *method;
    const char *host;
    const char *origin;
    const char *fetch_site; /* Sec-Fetch-Site */
    const char *mark;       /* X-Mailbrake */
};

/* Why the request is refused, in a few words; NULL: it may go on.
 * - Host must name a host of the guard, with any port: a foreign name that resolves to
 * our address (DNS rebinding) is refused, a tunnel with another port isn't.
 * - An Origin must be scheme://Host; any method but GET and HEAD must have one, and
 *   X-Mailbrake: 1, which no form and no other site can send.
 * - Sec-Fetch-Site, which browsers send: nothing asked for by another site. Only a whole
 *   page may be opened from a link: is_page. */
const char *guard_refusal(const struct guard *guard, const struct guard_fields *fields,
                          bool is_page);

#endif
