/* libldap, used without its own waiting: after the connection is made its socket never
 * blocks, so that ldap_result(3) keeps the deadline also when a server sends half a
 * message. */
#include "lists/ldap_client.h"

#include <errno.h>
#include <fcntl.h>
#include <ldap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "lists/ldap_fault.h"
#include "lists/ldap_guard.h"

struct ldap_client {
    LDAP *ld;
    struct ldap_guard guard;
    struct ldap_client_args args;
};

/* ---- deadlines ---- */

/* What is left for one step; false when nothing is. */
static bool step_time(const struct ldap_client *client, struct timeval *out)
{
    int64_t left_ms = clock_left_ms(client->args.deadline_us);
    if (left_ms > client->args.request_timeout_ms)
        left_ms = client->args.request_timeout_ms;
    *out = (struct timeval){.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    return left_ms > 0;
}

static enum status fail(const struct ldap_client *client, const char *step, int code,
                        struct error *error)
{
    const struct ldap_fault fault = {.url = client->args.url,
                                     .step = step,
                                     .code = code,
                                     .connected = client->guard.connected,
                                     .deadline_us = client->args.deadline_us,
                                     .settings = client->args.settings};
    return ldap_fault_set(client->ld, &fault, error);
}

/* The next message of a request; the caller frees it. */
static enum status await(struct ldap_client *client, int id, const char *step,
                         LDAPMessage **out, struct error *error)
{
    struct timeval wait;
    if (!step_time(client, &wait))
        return fail(client, step, LDAP_TIMEOUT, error);
    int type = ldap_result(client->ld, id, LDAP_MSG_ONE, &wait, out);
    if (type > 0)
        return STATUS_OK;
    int code = LDAP_SERVER_DOWN;
    if (type < 0)
        (void)ldap_get_option(client->ld, LDAP_OPT_RESULT_CODE, &code);
    return fail(client, step, type == 0 ? LDAP_TIMEOUT : code, error);
}

/* What a result that isn't success says of the search: see ldap_client_search. */
static enum status meaning_of(int code)
{
    switch (code) {
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INSUFFICIENT_ACCESS:
        return STATUS_NOT_FOUND;
    case LDAP_REFERRAL:
    case LDAP_FILTER_ERROR:
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_INAPPROPRIATE_MATCHING:
        return STATUS_INVALID;
    default:
        return STATUS_UNAVAILABLE;
    }
}

/* The same, with the reason. */
static enum status fail_search(const struct ldap_client *client, const char *base,
                               int code, struct error *error)
{
    char step[300];
    (void)snprintf(step, sizeof step, "searching %.200s",
                   base[0] == '\0' ? "\"\"" : base);
    enum status status = fail(client, step, code, error);
    return status == STATUS_NOMEM ? status : meaning_of(code);
}

/* ---- connecting ---- */

static bool set_text(LDAP *ld, int option, const char *text)
{
    return text == NULL || text[0] == '\0' ||
           ldap_set_option(ld, option, text) == LDAP_OPT_SUCCESS;
}

/* What ldap.conf(5) could say otherwise is said here. */
static bool set_options(LDAP *ld, const struct timeval *wait)
{
    int version = LDAP_VERSION3;
    int never = LDAP_DEREF_NEVER;
    return ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_DEREF, &never) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, wait) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_TIMEOUT, wait) == LDAP_OPT_SUCCESS;
}

/* Reads the certificates, so it fails where they are missing. */
static bool set_tls(LDAP *ld, const struct ldap_settings *settings)
{
    static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";
    int demand = LDAP_OPT_X_TLS_DEMAND;
    int client = 0;
    bool own = settings->ca_file != NULL && settings->ca_file[0] != '\0';
    return ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) ==
               LDAP_OPT_SUCCESS &&
           set_text(ld, LDAP_OPT_X_TLS_CACERTFILE, own ? settings->ca_file : system_ca) &&
           set_text(ld, LDAP_OPT_X_TLS_CERTFILE, settings->cert_file) &&
           set_text(ld, LDAP_OPT_X_TLS_KEYFILE, settings->cert_key_file) &&
           ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

static enum status prepare(struct ldap_client *client, const struct timeval *wait,
                           struct error *error)
{
    const struct ldap_settings *settings = client->args.settings;
    int code = ldap_initialize(&client->ld, client->args.url);
    if (code != LDAP_SUCCESS)
        return fail(client, "connecting", code, error);
    bool tls = settings->start_tls || text_after(client->args.url, "ldaps:") != NULL;
    if (!set_options(client->ld, wait))
        return fail(client, "connecting", LDAP_LOCAL_ERROR, error);
    if (tls && !set_tls(client->ld, settings))
        return error_set(error, STATUS_UNAVAILABLE,
                         "%s: its TLS can't be set up: see ca_file (or install "
                         "ca-certificates), cert_file and cert_key_file",
                         client->args.url);
    return ldap_guard_start(
        &client->guard, client->ld,
        clock_monotonic_us() + wait->tv_sec * INT64_C(1000000) + wait->tv_usec, error);
}

static enum status connect_to(struct ldap_client *client, struct error *error)
{
    const struct ldap_settings *settings = client->args.settings;
    struct timeval wait;
    int fd = -1;
    if (!step_time(client, &wait))
        return fail(client, "connecting", LDAP_TIMEOUT, error);
    enum status status = prepare(client, &wait, error);
    if (status != STATUS_OK)
        return status;
    errno = 0;
    int code = ldap_connect(client->ld);
    if (code == LDAP_SUCCESS && settings->start_tls)
        code = ldap_start_tls_s(client->ld, NULL, NULL);
    int why = errno;
    if (ldap_guard_stop(&client->guard))
        code = LDAP_TIMEOUT;
    errno = why;
    if (code != LDAP_SUCCESS)
        return fail(client, "connecting", code, error);
    if (ldap_get_option(client->ld, LDAP_OPT_DESC, &fd) != LDAP_OPT_SUCCESS ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        return fail(client, "connecting", LDAP_LOCAL_ERROR, error);
    return STATUS_OK;
}

static enum status bind_to(struct ldap_client *client, struct error *error)
{
    const struct ldap_settings *settings = client->args.settings;
    bool external = settings->sasl == LDAP_SASL_EXTERN;
    char *password = strdup(client->args.password);
    if (password == NULL)
        return STATUS_NOMEM;
    struct berval credentials = {.bv_len = strlen(password), .bv_val = password};
    LDAPMessage *answer = NULL;
    int id = 0;
    int result = LDAP_OTHER;
    int code = ldap_sasl_bind(client->ld, external ? NULL : settings->bind_dn,
                              external ? "EXTERNAL" : LDAP_SASL_SIMPLE, &credentials,
                              NULL, NULL, &id);
    explicit_bzero(password, credentials.bv_len);
    free(password);
    if (code != LDAP_SUCCESS)
        return fail(client, "binding", code, error);
    enum status status = await(client, id, "binding", &answer, error);
    if (status != STATUS_OK)
        return status;
    code = ldap_parse_result(client->ld, answer, &result, NULL, NULL, NULL, NULL, 1);
    if (code == LDAP_SUCCESS)
        code = result;
    return code == LDAP_SUCCESS ? STATUS_OK : fail(client, "binding", code, error);
}

enum status ldap_client_open(const struct ldap_client_args *args,
                             struct ldap_client **out_client, struct error *error)
{
    struct ldap_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    client->args = *args;
    enum status status = connect_to(client, error);
    if (status == STATUS_OK)
        status = bind_to(client, error);
    if (status != STATUS_OK) {
        ldap_client_close(client);
        return status;
    }
    *out_client = client;
    return STATUS_OK;
}

void ldap_client_close(struct ldap_client *client)
{
    if (client == NULL)
        return;
    if (client->ld != NULL)
        (void)ldap_unbind_ext(client->ld, NULL, NULL);
    free(client);
}

/* ---- searching ---- */

static enum status give_values(const struct ldap_consumer *consumer, const char *name,
                               const struct berval *values)
{
    enum status status = consumer->attribute(consumer->context, name);
    for (const struct berval *value = values;
         status == STATUS_OK && value != NULL && value->bv_val != NULL; value++)
        status = consumer->value(consumer->context, value->bv_val, value->bv_len);
    return status;
}

/* An entry's names and values are used where they lie in the message. */
static enum status give_entry(const struct ldap_client *client, LDAPMessage *message,
                              const struct ldap_consumer *consumer)
{
    BerElement *ber = NULL;
    struct berval dn;
    if (ldap_get_dn_ber(client->ld, message, &ber, &dn) != LDAP_SUCCESS)
        return STATUS_UNAVAILABLE;
    enum status status = consumer->entry(consumer->context, dn.bv_val, dn.bv_len);
    while (status == STATUS_OK) {
        struct berval name;
        struct berval *values = NULL;
        if (ldap_get_attribute_ber(client->ld, message, ber, &name, &values) !=
            LDAP_SUCCESS)
            status = STATUS_UNAVAILABLE;
        else if (name.bv_val == NULL)
            break;
        else
            status = give_values(consumer, name.bv_val, values);
        ber_memfree(values);
    }
    ber_free(ber, 0);
    return status;
}

/* Other directories of the same forest, to which Active Directory refers whoever searches
 * from the top: they hold no people. */
static bool is_harmless(const char *url)
{
    static const char *const bases[] = {"/DC=DomainDnsZones,", "/DC=ForestDnsZones,",
                                        "/CN=Configuration,"};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (strcasestr(url, bases[i]) != NULL)
            return true;
    }
    return false;
}

static enum status check_reference(const struct ldap_client *client, LDAPMessage *message,
                                   struct error *error)
{
    char **urls = NULL;
    enum status status = STATUS_OK;
    int code = ldap_parse_reference(client->ld, message, &urls, NULL, 0);
    const char *url =
        code == LDAP_SUCCESS && urls != NULL && urls[0] != NULL ? urls[0] : "?";
    if (!is_harmless(url))
        status = error_set(error, STATUS_INVALID,
                           "%s: a part of the base is at %.150s, which isn't followed: "
                           "choose a narrower base, and that one as a source of its own",
                           client->args.url, url);
    ldap_memvfree((void **)urls);
    return status;
}

/* The result of a page: the next one's cookie, empty after the last. */
static enum status finish(const struct ldap_client *client, const char *base,
                          LDAPMessage *message, struct berval *cookie,
                          struct error *error)
{
    LDAPControl **controls = NULL;
    int result = LDAP_OTHER;
    int code =
        ldap_parse_result(client->ld, message, &result, NULL, NULL, NULL, &controls, 0);
    ber_memfree(cookie->bv_val);
    *cookie = (struct berval){0};
    LDAPControl *page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
    ber_int_t estimate = 0;
    if (code == LDAP_SUCCESS && page != NULL)
        code = ldap_parse_pageresponse_control(client->ld, page, &estimate, cookie);
    ldap_controls_free(controls);
    if (code == LDAP_SUCCESS)
        code = result;
    if (code == LDAP_SUCCESS)
        return STATUS_OK;
    return fail_search(client, base, code, error);
}

/* Sends the request for a page. */
static int request_page(const struct ldap_client *client, const struct ldap_query *query,
                        struct berval *cookie, int *out_id)
{
    static const int scopes[] = {LDAP_SCOPE_BASE, LDAP_SCOPE_ONELEVEL,
                                 LDAP_SCOPE_SUBTREE};
    LDAPControl *controls[2] = {NULL, NULL};
    struct berval value = {0};
    char **attributes = calloc(query->attributes->count + 1, sizeof *attributes);
    if (attributes == NULL)
        return LDAP_NO_MEMORY;
    memcpy(attributes, query->attributes->items,
           query->attributes->count * sizeof *attributes);
    int code =
        ldap_create_page_control_value(client->ld, client->args.settings->page_size,
                                       cookie->bv_val == NULL ? NULL : cookie, &value);
    if (code == LDAP_SUCCESS)
        code = ldap_control_create(LDAP_CONTROL_PAGEDRESULTS, 0, &value, 1, &controls[0]);
    ber_memfree(value.bv_val);
    if (code == LDAP_SUCCESS)
        code = ldap_search_ext(client->ld, query->base, scopes[query->scope],
                               query->filter, attributes, 0,
                               query->scope == LDAP_CLIENT_BASE ? NULL : controls, NULL,
                               NULL, LDAP_NO_LIMIT, out_id);
    ldap_control_free(controls[0]);
    free(attributes);
    return code;
}

static enum status take_page(struct ldap_client *client, const struct ldap_query *query,
                             struct berval *cookie, struct error *error)
{
    int id = 0;
    int code = request_page(client, query, cookie, &id);
    if (code != LDAP_SUCCESS)
        return fail_search(client, query->base, code, error);
    for (;;) {
        LDAPMessage *message = NULL;
        enum status status = await(client, id, "searching", &message, error);
        if (status != STATUS_OK)
            return status;
        int type = ldap_msgtype(message);
        bool done = type == LDAP_RES_SEARCH_RESULT;
        if (done)
            status = finish(client, query->base, message, cookie, error);
        else if (type == LDAP_RES_SEARCH_REFERENCE)
            status = check_reference(client, message, error);
        else if (type == LDAP_RES_SEARCH_ENTRY)
            status = give_entry(client, message, &query->consumer);
        (void)ldap_msgfree(message);
        if (!done && status != STATUS_OK)
            (void)ldap_abandon_ext(client->ld, id, NULL, NULL);
        if (done || status != STATUS_OK)
            return status;
    }
}

enum status ldap_client_search(struct ldap_client *client, const struct ldap_query *query,
                               struct error *error)
{
    struct berval cookie = {0};
    enum status status;
    (void)error_set(error, STATUS_OK, "%s: its answer can't be read", client->args.url);
    do {
        status = take_page(client, query, &cookie, error);
    } while (status == STATUS_OK && cookie.bv_len > 0);
    ber_memfree(cookie.bv_val);
    return status;
}
