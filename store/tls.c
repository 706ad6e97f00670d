/* OpenSSL makes the session, so that the server's name is checked and the handshake has a
 * deadline; hiredis then reads and writes through it. */
#include "store/tls.h"

#if MAILBRAKE_REDIS_TLS

#include <errno.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ip_address.h"
#include "base/text.h"

struct tls {
    SSL_CTX *context;
};

/* ---- the files ---- */

static bool is_set(const char *file)
{
    return file != NULL && file[0] != '\0';
}

static enum status refuse(const char *setting, const char *file, struct error *error)
{
    const char *reason = access(file, R_OK) != 0
                             ? strerror(errno)
                             : ERR_reason_error_string(ERR_peek_last_error());
    return error_set_at(error, STATUS_IO, file, 0, "%s (%s)",
                        reason != NULL ? reason : "can't be read", setting);
}

/* Without this, OpenSSL asks the terminal for the password of a key. */
static int give_no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static char asked[] = "the server asked for our certificate";

static int note_request(SSL *session, void *context)
{
    return SSL_set_app_data(session, context);
}

static enum status load(SSL_CTX *context, const struct store_settings *settings,
                        struct error *error)
{
    ERR_clear_error();
    if (!is_set(settings->ca_file)) {
        if (SSL_CTX_set_default_verify_paths(context) != 1)
            return STATUS_NOMEM;
    } else if (SSL_CTX_load_verify_locations(context, settings->ca_file, NULL) != 1) {
        return refuse("store.ca_file", settings->ca_file, error);
    }
    if (!is_set(settings->cert_file))
        return STATUS_OK;
    if (SSL_CTX_use_certificate_chain_file(context, settings->cert_file) != 1)
        return refuse("store.cert_file", settings->cert_file, error);
    /* Also when it is not that certificate's key. */
    if (SSL_CTX_use_PrivateKey_file(context, settings->cert_key_file, SSL_FILETYPE_PEM) !=
        1)
        return refuse("store.cert_key_file", settings->cert_key_file, error);
    return STATUS_OK;
}

enum status tls_new(const struct store_settings *settings, struct tls **out_tls,
                    struct error *error)
{
    enum status status = STATUS_NOMEM;
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls != NULL)
        tls->context = SSL_CTX_new(TLS_client_method());
    if (tls != NULL && tls->context != NULL) {
        SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_default_passwd_cb(tls->context, give_no_password);
        SSL_CTX_set_cert_cb(tls->context, note_request, asked);
        (void)SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
        if (SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1)
            status = load(tls->context, settings, error);
    }
    if (status != STATUS_OK) {
        if (status == STATUS_NOMEM)
            (void)error_set(error, status, "out of memory");
        tls_free(tls);
        return status;
    }
    *out_tls = tls;
    return STATUS_OK;
}

void tls_free(struct tls *tls)
{
    if (tls != NULL)
        SSL_CTX_free(tls->context);
    free(tls);
}

/* ---- what went wrong ---- */

static enum status explain_certificate(long result, const char *host, struct error *error)
{
    const char *text = X509_verify_cert_error_string(result);
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return error_set(error, STATUS_UNAVAILABLE,
                         "the server's certificate is for another name than %.150s",
                         host);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return error_set(
            error, STATUS_UNAVAILABLE,
            "store.ca_file lacks the issuer of the server's certificate (%s)", text);
    default:
        return error_set(error, STATUS_UNAVAILABLE,
                         "the server's certificate is not valid: %s", text);
    }
}

static const char no_certificate[] = "the server wants a certificate of ours: set "
                                     "store.cert_file and store.cert_key_file";
static const char bad_certificate[] =
    "the server does not accept our certificate: see store.cert_file";

static bool is_certificate_missing(const SSL *session)
{
    return SSL_get_app_data(session) == asked && SSL_get_certificate(session) == NULL;
}

/* What the server, or OpenSSL, said last in this thread; false when it said nothing. */
static bool explain(const SSL *session, struct error *error)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(code);
    if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_SSL)
        return false;
    int reason = ERR_GET_REASON(code);
    if (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE && is_certificate_missing(session))
        reason = SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED; /* as TLS 1.2 says it */
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return false;
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        (void)error_set(error, STATUS_OK, "%s", no_certificate);
        break;
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        (void)error_set(error, STATUS_OK, "%s (%s)", bad_certificate, text);
        break;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        (void)error_set(error, STATUS_OK,
                        "the server does not speak TLS there (%s): name its tls-port",
                        text);
        break;
    default:
        (void)error_set(error, STATUS_OK, "TLS: %s", text != NULL ? text : "failed");
    }
    return true;
}

void tls_prepare(void)
{
    ERR_clear_error();
}

/* A server looks at our certificate when the handshake is over for us; it then closes the
 * connection, and what it says of it may be lost. */
enum status tls_fault(const SSL *session, bool answered, struct error *error)
{
    if (explain(session, error))
        return STATUS_UNAVAILABLE;
    if (!answered && SSL_get_app_data(session) == asked)
        return error_set(error, STATUS_IO, "the connection was lost, perhaps because %s",
                         is_certificate_missing(session) ? no_certificate
                                                         : bad_certificate);
    return STATUS_IO;
}

/* ---- a session ---- */

/* An address is no name: it stands in a certificate as such, and is never indicated. */
static bool demand_name(SSL *session, const char *host)
{
    uint8_t bytes[IP_ADDRESS_BYTES];
    char name[256]; /* OpenSSL's macro casts const away */
    if (ip_address_parse(host, bytes))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1;
    text_join(name, sizeof name, host, "");
    return SSL_set1_host(session, host) == 1 &&
           SSL_set_tlsext_host_name(session, name) == 1;
}

/* saved_errno: of the step that failed. */
static enum status fail(SSL *session, const char *host, int saved_errno,
                        struct error *error)
{
    long verified = SSL_get_verify_result(session);
    if (verified != X509_V_OK)
        return explain_certificate(verified, host, error);
    if (explain(session, error))
        return STATUS_UNAVAILABLE;
    return error_set(error, STATUS_IO, "%s in the TLS handshake",
                     saved_errno != 0 ? strerror(saved_errno)
                                      : "Server closed the connection");
}

enum status tls_begin(const struct tls *tls, redisContext *context, const char *host,
                      SSL **out_session, struct error *error)
{
    SSL *session = SSL_new(tls->context);
    if (session == NULL || !demand_name(session, host)) {
        SSL_free(session);
        return STATUS_NOMEM;
    }
    ERR_clear_error();
    errno = 0;
    if (redisInitiateSSL(context, session) != REDIS_OK) {
        enum status status = context->err == REDIS_ERR_OOM
                                 ? STATUS_NOMEM
                                 : fail(session, host, errno, error);
        SSL_free(session);
        return status;
    }
    *out_session = session;
    return STATUS_OK;
}

enum status tls_step(SSL *session, const char *host, short *out_events,
                     struct error *error)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(session);
    int saved_errno = errno;
    switch (result == 1 ? SSL_ERROR_NONE : SSL_get_error(session, result)) {
    case SSL_ERROR_NONE:
        *out_events = 0;
        return STATUS_OK;
    case SSL_ERROR_WANT_READ:
        *out_events = POLLIN;
        return STATUS_OK;
    case SSL_ERROR_WANT_WRITE:
        *out_events = POLLOUT;
        return STATUS_OK;
    default:
        break;
    }
    return fail(session, host, saved_errno, error);
}

bool tls_is_quiet(SSL *session)
{
    char byte;
    ERR_clear_error();
    int count = SSL_peek(session, &byte, 1);
    return count <= 0 && SSL_get_error(session, count) == SSL_ERROR_WANT_READ;
}

#else /* Debian 12: conf/server.c refuses "tls:", so no session ever begins */

enum status tls_new(const struct store_settings *settings, struct tls **out_tls,
                    struct error *error)
{
    (void)settings, (void)out_tls;
    return error_set(error, STATUS_UNAVAILABLE, "TLS is not built in");
}

void tls_free(struct tls *tls)
{
    (void)tls;
}

enum status tls_begin(const struct tls *tls, struct redisContext *context,
                      const char *host, struct ssl_st **out_session, struct error *error)
{
    (void)tls, (void)context, (void)host, (void)out_session;
    return error_set(error, STATUS_UNAVAILABLE, "TLS is not built in");
}

enum status tls_step(struct ssl_st *session, const char *host, short *out_events,
                     struct error *error)
{
    (void)session, (void)host, (void)out_events;
    return error_set(error, STATUS_UNAVAILABLE, "TLS is not built in");
}

void tls_prepare(void)
{
}

enum status tls_fault(const struct ssl_st *session, bool answered, struct error *error)
{
    (void)session, (void)answered, (void)error;
    return STATUS_IO;
}

bool tls_is_quiet(struct ssl_st *session)
{
    (void)session;
    return false;
}

#endif
