/* Each callback collects; the last one decides and applies. Callbacks of one connection
 * come one after the other, but on any thread: all state is in the session. */
#include "milter/callbacks.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/ip_address.h"
#include "milter/answer.h"
#include "milter/session.h"

/* Steps that we don't need, and steps that need no reply from us. */
static const unsigned long steps_wanted = SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NOBODY |
                                          SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NR_CONN |
                                          SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR;
static const unsigned long actions_needed =
    SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST;

/* libmilter's callbacks get no context but the connection's. */
static struct engine *engine_used;
static bool mta_is_sendmail;
static atomic_int in_flight;

static char mail_macros[] = "i {mail_addr} {mail_mailer} {auth_authen}";
static char rcpt_macros[] = "{rcpt_addr}";
static char eom_macros[] = "i";

static sfsistat quiet(bool no_reply)
{
    return no_reply ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused_2, unsigned long unused_3,
                             unsigned long *out_actions, unsigned long *out_steps,
                             unsigned long *out_2, unsigned long *out_3)
{
    (void)unused_2;
    (void)unused_3;
    if ((actions & actions_needed) != actions_needed) {
        log_throttled(SEVERITY_ERROR, "the MTA does not let a milter add and change "
                                      "header fields, quarantine and choose macros: "
                                      "its connection is refused");
        return SMFIS_REJECT;
    }
    struct session *session = session_new();
    if (session == NULL)
        return SMFIS_REJECT;
    steps &= steps_wanted;
    session->quiet_connect = (steps & SMFIP_NR_CONN) != 0;
    session->quiet_mail = (steps & SMFIP_NR_MAIL) != 0;
    session->quiet_rcpt = (steps & SMFIP_NR_RCPT) != 0;
    session->quiet_header = (steps & SMFIP_NR_HDR) != 0;
    if (smfi_setpriv(ctx, session) != MI_SUCCESS ||
        smfi_setsymlist(ctx, SMFIM_ENVFROM, mail_macros) != MI_SUCCESS ||
        smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt_macros) != MI_SUCCESS ||
        smfi_setsymlist(ctx, SMFIM_EOM, eom_macros) != MI_SUCCESS) {
        (void)smfi_setpriv(ctx, NULL);
        session_free(session);
        return SMFIS_REJECT;
    }
    *out_actions = actions_needed;
    *out_steps = steps;
    *out_2 = 0;
    *out_3 = 0;
    return SMFIS_CONTINUE;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, struct sockaddr *address)
{
    struct session *session = smfi_getpriv(ctx);
    (void)host;
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    session->client[0] = '\0';
    session->client_is_loopback = address == NULL;
    if (address == NULL)
        return quiet(session->quiet_connect);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        uint8_t bytes[sizeof in.sin_addr];
        memcpy(bytes, &in.sin_addr, sizeof bytes);
        ip_address_print_ipv4(bytes, session->client);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, session->client,
                        sizeof session->client);
    }
    session->client_is_loopback = session->client[0] == '\0' || is_loopback(address);
    return quiet(session->quiet_connect);
}

/* Mail of sendmail(1). Sendmail's submits to the daemon by SMTP from one of these
 * (msp.m4), or has no address (-bs); other addresses of 127/8 are clients. Postfix sets
 * no {mail_mailer} for it. Only connections from this machine qualify, so a missing macro
 * makes nobody else trusted. */
static bool is_local(SMFICTX *ctx, const struct session *session)
{
    if (mta_is_sendmail)
        return session->client[0] == '\0' || strcmp(session->client, "127.0.0.1") == 0 ||
               strcmp(session->client, "::1") == 0;
    char name[] = "{mail_mailer}";
    return session->client_is_loopback && smfi_getsymval(ctx, name) == NULL;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **arguments)
{
    struct session *session = smfi_getpriv(ctx);
    char address[] = "{mail_addr}";
    char login[] = "{auth_authen}";
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    session_reset(session);
    session->envelope.local = is_local(ctx, session);
    session_mail(session, arguments, smfi_getsymval(ctx, address),
                 smfi_getsymval(ctx, login));
    return quiet(session->quiet_mail);
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **arguments)
{
    struct session *session = smfi_getpriv(ctx);
    char address[] = "{rcpt_addr}";
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    session_rcpt(session, arguments, smfi_getsymval(ctx, address));
    return quiet(session->quiet_rcpt);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    session_header(session, name, value);
    return quiet(session->quiet_header);
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    atomic_fetch_add(&in_flight, 1);
    int64_t start = clock_monotonic_us();
    struct envelope envelope = session_envelope(session);
    char queue_id[] = "i";
    int64_t now_ms = clock_wall_ms();
    struct decision decision;
    envelope.queue_id = smfi_getsymval(ctx, queue_id);
    decide_message(engine_used, &envelope, now_ms, clock_minute_of_week(now_ms),
                   &decision);
    int64_t took_us = clock_monotonic_us() - start;
    sfsistat status = answer_apply(ctx, session, &decision);
    answer_log(ctx, session, &decision, took_us);
    struct counted_decision counted = {decision.rule, decision.verdict, decision.would,
                                       decision.reach, took_us};
    counters_add(engine_used->counters, &counted);
    session_reset(session);
    atomic_fetch_sub(&in_flight, 1);
    return status;
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL)
        session_reset(session);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    (void)smfi_setpriv(ctx, NULL);
    session_free(session);
    return SMFIS_CONTINUE;
}

enum status callbacks_register(struct engine *engine, bool sendmail, struct error *error)
{
    static char name[] = "mailbrake";
    struct smfiDesc description = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = actions_needed,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_envfrom,
        .xxfi_envrcpt = on_envrcpt,
        .xxfi_header = on_header,
        .xxfi_eom = on_eom,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };
    engine_used = engine;
    mta_is_sendmail = sendmail;
    if (smfi_register(description) != MI_SUCCESS)
        return error_set(error, STATUS_NOMEM, "libmilter does not take our callbacks");
    return STATUS_OK;
}

int callbacks_in_flight(void)
{
    return atomic_load(&in_flight);
}
