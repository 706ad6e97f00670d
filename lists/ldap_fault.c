/* The codes that administrators meet have advice; all others get libldap's text. */
#include "lists/ldap_fault.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "lists/ldap_guard.h"

static const struct {
    int code;
    const char *advice;
} advices[] = {
    {LDAP_TIMEOUT, "no answer in time"},
    {LDAP_INVALID_CREDENTIALS, "invalid credentials: see bind_dn and password_file"},
    {LDAP_INAPPROPRIATE_AUTH, "this bind isn't allowed: see bind_dn and password_file"},
    {LDAP_STRONG_AUTH_REQUIRED, "the server wants TLS: use ldaps: or start_tls"},
    {LDAP_CONFIDENTIALITY_REQUIRED, "the server wants TLS: use ldaps: or start_tls"},
    {LDAP_AUTH_METHOD_NOT_SUPPORTED, "the server doesn't offer this way to bind"},
    {LDAP_NO_SUCH_OBJECT, "this base does not exist, or may not be seen by bind_dn"},
    {LDAP_INVALID_DN_SYNTAX, "the base or bind_dn is no DN"},
    {LDAP_SIZELIMIT_EXCEEDED,
     "the server's size limit cuts the answer: ask for the right to read it in pages, or "
     "set a smaller page_size"},
    {LDAP_ADMINLIMIT_EXCEEDED,
     "the server's limit cuts the answer: ask for the right to read it in pages, or set "
     "a smaller page_size"},
    {LDAP_TIMELIMIT_EXCEEDED, "the server's time limit cuts the answer"},
    {LDAP_INSUFFICIENT_ACCESS, "bind_dn may not read this"},
    {LDAP_OPERATIONS_ERROR, "the server refuses (Active Directory: set bind_dn)"},
    {LDAP_FILTER_ERROR, "the filter is invalid"},
    {LDAP_REFERRAL, "the server refers to another one, which isn't followed"},
    {LDAP_BUSY, "the server is busy"},
    {LDAP_UNAVAILABLE, "the server is not available"},
};

static const char *advice_of(int code)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        if (advices[i].code == code)
            return advices[i].advice;
    }
    return ldap_err2string(code);
}

/* ---- the certificate ---- */

enum { INSTANT_SIZE = 20, LOOK_MS = 5000 };

/* An X.509 certificate's issuer as text, and the end of its validity (RFC 5280, 4.1): the
 * third and the fourth field after the version. */
struct certificate {
    struct berval issuer;     /* for ldap_memfree */
    char until[INSTANT_SIZE]; /* YYYYMMDDHHMMSS in UTC */
};

static bool take_until(BerElement *ber, char out[INSTANT_SIZE])
{
    struct berval skipped;
    struct berval until;
    ber_len_t length;
    if (ber_skip_tag(ber, &length) != LBER_SEQUENCE ||
        ber_skip_element(ber, &skipped) == LBER_DEFAULT ||
        ber_skip_element(ber, &until) == LBER_DEFAULT || until.bv_len < 13)
        return false;
    const char *century = until.bv_len >= 15 ? "" : until.bv_val[0] < '5' ? "20" : "19";
    (void)snprintf(out, INSTANT_SIZE, "%s%.*s", century, century[0] == '\0' ? 14 : 12,
                   until.bv_val);
    return true;
}

static bool certificate_parse(const struct berval *der, struct certificate *out)
{
    struct berval copy = *der;
    struct berval skipped;
    struct berval issuer;
    ber_len_t length;
    BerElement *ber = ber_init(&copy);
    if (ber == NULL)
        return false;
    bool parsed = ber_skip_tag(ber, &length) == LBER_SEQUENCE &&
                  ber_skip_tag(ber, &length) == LBER_SEQUENCE;
    if (parsed && ber_peek_tag(ber, &length) == 0xa0)
        parsed = ber_skip_element(ber, &skipped) != LBER_DEFAULT;
    parsed = parsed && ber_skip_element(ber, &skipped) != LBER_DEFAULT && /* serial */
             ber_skip_element(ber, &skipped) != LBER_DEFAULT &&           /* algorithm */
             ber_skip_raw(ber, &issuer) != LBER_DEFAULT && take_until(ber, out->until) &&
             ldap_X509dn2bv(&issuer, &out->issuer, NULL, 0) == LDAP_SUCCESS;
    ber_free(ber, 1);
    return parsed;
}

/* libldap does not tell a certificate of another name from one that is not trusted. */
static void describe(const struct ldap_fault *fault,
                     const struct certificate *certificate, struct error *error)
{
    char now[INSTANT_SIZE];
    struct tm utc;
    time_t seconds = time(NULL);
    (void)strftime(now, sizeof now, "%Y%m%d%H%M%S", gmtime_r(&seconds, &utc));
    const char *until = certificate->until;
    if (strcmp(until, now) < 0)
        (void)error_set(error, STATUS_UNAVAILABLE,
                        "%s: its certificate expired on %.4s-%.2s-%.2s", fault->url,
                        until, until + 4, until + 6);
    else
        (void)error_set(error, STATUS_UNAVAILABLE,
                        "%s: its certificate is not trusted: either ca_file lacks its "
                        "issuer, \"%.150s\", or it is for another name than this",
                        fault->url, certificate->issuer.bv_val);
}

/* Connects again, whatever the certificate is, and looks at it. False when that isn't
 * why. */
static bool look_at_certificate(const struct ldap_fault *fault, struct error *error)
{
    int left_ms = clock_left_ms(fault->deadline_us);
    if (left_ms > LOOK_MS)
        left_ms = LOOK_MS;
    const struct timeval wait = {.tv_sec = left_ms / 1000,
                                 .tv_usec = left_ms % 1000 * 1000};
    struct ldap_guard guard;
    LDAP *ld = NULL;
    struct berval der = {0};
    struct certificate certificate = {0};
    int version = LDAP_VERSION3;
    int never = LDAP_OPT_X_TLS_NEVER;
    int client = 0;
    bool found = false;
    if (left_ms == 0 || ldap_initialize(&ld, fault->url) != LDAP_SUCCESS)
        return false;
    bool set =
        ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
        ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &wait) == LDAP_OPT_SUCCESS &&
        ldap_set_option(ld, LDAP_OPT_TIMEOUT, &wait) == LDAP_OPT_SUCCESS &&
        ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &never) == LDAP_OPT_SUCCESS &&
        ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
    if (set &&
        ldap_guard_start(&guard, ld, clock_deadline_us(left_ms), error) == STATUS_OK) {
        found = ldap_connect(ld) == LDAP_SUCCESS &&
                (!fault->settings->start_tls ||
                 ldap_start_tls_s(ld, NULL, NULL) == LDAP_SUCCESS) &&
                ldap_get_option(ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS &&
                certificate_parse(&der, &certificate);
        (void)ldap_guard_stop(&guard);
    }
    if (found)
        describe(fault, &certificate, error);
    ldap_memfree(certificate.issuer.bv_val);
    ber_memfree(der.bv_val);
    (void)ldap_unbind_ext(ld, NULL, NULL);
    return found;
}

/* ---- in words ---- */

/* libldap waits for a connection by poll(2), which leaves other errors than connect(2).
 */
static const char *reason_of(int why)
{
    return why == ENOTCONN || why == ECONNREFUSED ? "connection refused"
           : why == EINPROGRESS || why == EAGAIN || why == ETIMEDOUT || why == ENOTSOCK
               ? "no answer in time"
               : "no such host, or no LDAP there";
}

static enum status set_connection(const struct ldap_fault *fault, struct error *error)
{
    int why = errno;
    bool tls = fault->settings->start_tls || text_after(fault->url, "ldaps:") != NULL;
    if (tls && fault->connected && look_at_certificate(fault, error))
        return STATUS_UNAVAILABLE;
    return error_set(error, STATUS_UNAVAILABLE, "%s: cannot connect: %s", fault->url,
                     reason_of(why));
}

enum status ldap_fault_set(LDAP *ld, const struct ldap_fault *fault, struct error *error)
{
    struct text shown = {0};
    char *said = NULL;
    bool connecting = strcmp(fault->step, "connecting") == 0;
    if (fault->code == LDAP_NO_MEMORY)
        return error_set(error, STATUS_NOMEM, "out of memory");
    if (connecting &&
        (fault->code == LDAP_SERVER_DOWN || fault->code == LDAP_CONNECT_ERROR))
        return set_connection(fault, error);
    if (fault->code == LDAP_SERVER_DOWN)
        return error_set(error, STATUS_UNAVAILABLE, "%s: %s: the connection was lost",
                         fault->url, fault->step);
    if (ld != NULL)
        (void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    if (said != NULL && said[0] != '\0') {
        text_add_string(&shown, " (the server says: ");
        text_add_escaped(&shown, said, strlen(said), 100);
        text_add_string(&shown, ")");
    }
    ldap_memfree(said);
    (void)error_set(error, STATUS_UNAVAILABLE, "%s: %s: %s%s", fault->url, fault->step,
                    advice_of(fault->code), text_string(&shown));
    text_clear(&shown);
    return STATUS_UNAVAILABLE;
}
