/* TLS to Redis, where hiredis is built with it (Debian 13). A server must show a
 * certificate for the very host or address that we connect to. */
#ifndef STORE_TLS_H
#define STORE_TLS_H

#include <stdbool.h>

#include "conf/settings.h"

struct redisContext; /* of hiredis */
struct ssl_st;       /* of OpenSSL: SSL; here, the session of one connection */
struct tls;

/* Whom we trust and who we are, by ca_file, cert_file and cert_key_file. IO, with the
 * file and the setting in error, when one can't be used; UNAVAILABLE without TLS; NOMEM.
 */
enum status tls_new(const struct store_settings *settings, struct tls **out_tls,
                    struct error *error) MUST_CHECK;
void tls_free(struct tls *tls); /* its sessions live on; NULL is allowed */

/* Begins over a context that is connected and does not block; the session is the
 * context's. UNAVAILABLE and IO as tls_step; NOMEM. */
enum status tls_begin(const struct tls *tls, struct redisContext *context,
                      const char *host, struct ssl_st **out_session,
                      struct error *error) MUST_CHECK;

/* The next step of the handshake: out_events is what poll(2) should wait for before
 * another one, 0 at its end. UNAVAILABLE, with a reason, when either side refuses the
 * other, IO when the connection ends. */
enum status tls_step(struct ssl_st *session, const char *host, short *out_events,
                     struct error *error) MUST_CHECK;

/* Before hiredis reads or writes: forgets earlier failures of this thread. */
void tls_prepare(void);

/* After hiredis could not read or write; answered: it has read a reply before.
 * UNAVAILABLE with a reason when the server refuses us; else IO, and error may get a
 * likely one. */
enum status tls_fault(const struct ssl_st *session, bool answered,
                      struct error *error) MUST_CHECK;

/* As connection_is_quiet. */
bool tls_is_quiet(struct ssl_st *session);

#endif
