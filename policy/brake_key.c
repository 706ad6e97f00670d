/* Keys are spelled as facts are, so that what an administrator types matches messages. A
 * key that could never match anything is invalid. */
#include "policy/brake_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ip_address.h"
#include "base/text.h"
#include "base/utf8.h"
#include "policy/login.h"
#include "policy/mailbox.h"
#include "policy/sender.h"

static enum status refuse(struct error *error, const char *text, const char *why)
{
    return error_set(error, STATUS_INVALID, "\"%.100s\": %s", text, why);
}

static enum status keep(struct brake_key *out, enum brake_kind kind, const char *prefix,
                        const char *value)
{
    struct text key = {0};
    text_printf(&key, "%s%s", prefix, value);
    if (key.failed) {
        text_clear(&key);
        return STATUS_NOMEM;
    }
    *out = (struct brake_key){.kind = kind, .text = key.data};
    return STATUS_OK;
}

/* Spells a login as facts do. */
static enum status parse_login(const char *text, const struct domains *own,
                               const struct login_forms *logins, struct brake_key *out,
                               struct error *error)
{
    struct address login;
    size_t length = strspn(text, "@");
    if (text[length] == '\0' || strchr(text, '*') != NULL ||
        login_parse(text, logins, own, &login) != STATUS_OK)
        return refuse(error, text, "login: takes one user name, without '*'");
    return keep(out, BRAKE_LOGIN, "login:", login.text);
}

/* Spells a sender as facts do. */
static enum status parse_sender(const char *text, const struct domains *own,
                                struct brake_key *out, struct error *error)
{
    struct address address;
    struct address first;
    enum status status = mailbox_parse(text, domains_first(own), &address, error);
    if (status != STATUS_OK)
        return status;
    sender_simplify(&address, own);
    bool forwarded = sender_was_forwarded(&address, own, &first);
    return keep(out, BRAKE_SENDER, "sender:", forwarded ? first.text : address.text);
}

static enum status parse_list(const char *text, const struct domains *own,
                              struct brake_key *out, struct error *error)
{
    struct address address;
    enum status status = mailbox_parse(text, domains_first(own), &address, error);
    return status == STATUS_OK ? keep(out, BRAKE_LIST, "list:", address.text) : status;
}

static enum status parse_domain(const char *text, struct brake_key *out,
                                struct error *error)
{
    struct domains domains = {0};
    enum status status = domains_add(&domains, text, error);
    if (status == STATUS_OK)
        status = keep(out, BRAKE_DOMAIN, "domain:", domains_first(&domains));
    domains_clear(&domains);
    return status;
}

/* IPv4 dotted; IPv6 with a tail of zeros as "::". The prefix is left out for one host. */
static void format_network(const struct network *network, char *out, size_t size)
{
    const uint8_t *bytes = network->bytes;
    size_t length = 0;
    bool ipv4 = network->prefix >= IP_ADDRESS_MAPPED_BITS && ip_address_is_ipv4(bytes);
    size_t groups = 8;
    while (groups > 0 && bytes[2 * groups - 2] == 0 && bytes[2 * groups - 1] == 0)
        groups--;
    if (groups == 7) /* "::" would be no shorter */
        groups = 8;
    if (ipv4)
        length = (size_t)snprintf(out, size, "%d.%d.%d.%d", bytes[12], bytes[13],
                                  bytes[14], bytes[15]);
    for (size_t i = 0; i < groups && !ipv4; i++)
        length +=
            (size_t)snprintf(out + length, size - length, "%s%x", i > 0 ? ":" : "",
                             (unsigned)bytes[2 * i] << 8 | (unsigned)bytes[2 * i + 1]);
    if (groups < 8 && !ipv4)
        length += (size_t)snprintf(out + length, size - length, "::");
    if (network->prefix < 128)
        (void)snprintf(out + length, size - length, "/%d",
                       ipv4 ? network->prefix - IP_ADDRESS_MAPPED_BITS : network->prefix);
}

static enum status parse_client(const char *text, struct brake_key *out,
                                struct error *error)
{
    struct network network;
    char address[64];
    enum status status;
    if (strcmp(text, "local") == 0) {
        status = keep(out, BRAKE_CLIENT, "client:", text);
        if (status == STATUS_OK)
            out->local = true;
        return status;
    }
    status = network_parse(text, &network, error);
    if (status != STATUS_OK)
        return status;
    format_network(&network, address, sizeof address);
    status = keep(out, BRAKE_CLIENT, "client:", address);
    if (status == STATUS_OK)
        out->network = network;
    return status;
}

static enum status check_characters(const char *text, struct error *error)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ' || c == 0x7f)
            return error_set(error, STATUS_INVALID,
                             "a key can't contain control characters");
    }
    if (!utf8_is_valid(text, strlen(text)))
        return error_set(error, STATUS_INVALID, "a key must be UTF-8");
    return STATUS_OK;
}

/* A word without a prefix is a login. */
static enum status parse_bare(const char *text, const struct domains *own,
                              const struct login_forms *logins, struct brake_key *out,
                              struct error *error)
{
    struct network network;
    struct error none;
    if (network_parse(text, &network, &none) == STATUS_OK)
        return refuse(error, text, "is an IP address: write client: before it");
    if (strchr(text, '@') != NULL)
        return refuse(error, text,
                      "is an address: write login:, sender: or list: before it");
    if (text[0] == '\0' || strpbrk(text, ": \t<>") != NULL ||
        strcasecmp(text, "all") == 0)
        return refuse(error, text,
                      "a key is login:, sender:, client:, list: or domain: and a value, "
                      "or \"all\"; a single word is a login");
    return parse_login(text, own, logins, out, error);
}

enum status brake_key_parse(const char *text, const struct domains *own,
                            const struct login_forms *logins, struct brake_key *out,
                            struct error *error)
{
    const char *rest;
    enum status status = check_characters(text, error);
    if (status != STATUS_OK)
        return status;
    if (strcmp(text, "all") == 0)
        return keep(out, BRAKE_ALL, text, "");
    if ((rest = text_after(text, "login:")) != NULL)
        return parse_login(rest, own, logins, out, error);
    if ((rest = text_after(text, "sender:")) != NULL)
        return parse_sender(rest, own, out, error);
    if ((rest = text_after(text, "client:")) != NULL)
        return parse_client(rest, out, error);
    if ((rest = text_after(text, "list:")) != NULL)
        return parse_list(rest, own, out, error);
    if ((rest = text_after(text, "domain:")) != NULL)
        return parse_domain(rest, out, error);
    return parse_bare(text, own, logins, out, error);
}

void brake_key_clear(struct brake_key *key)
{
    free(key->text);
    *key = (struct brake_key){0};
}

/* Compares the address, too: a brake must not depend on the list being known. */
static bool reaches_list(const struct facts *facts, const struct directory *directory,
                         const char *list)
{
    struct address address;
    struct target target = {.list = DIRECTORY_NONE};
    if (address_parse(list, strlen(list), &address) == STATUS_OK)
        directory_find(directory, &address, &target);
    for (size_t i = 0; i < facts->list_count && target.list != DIRECTORY_NONE; i++) {
        if (facts->lists[i] == target.list)
            return true;
    }
    for (size_t i = 0; i < facts->recipient_count; i++) {
        if (recipient_is(&facts->recipients[i], list))
            return true;
    }
    return false;
}

static bool is_client(const struct brake_key *key, const struct facts *facts)
{
    if (key->local)
        return facts->origin == ORIGIN_LOCAL;
    return facts->origin != ORIGIN_LOCAL && facts->has_client_address &&
           network_has(&key->network, facts->client_address);
}

bool brake_key_matches(const struct brake_key *key, const struct facts *facts,
                       const struct directory *directory)
{
    const char *value = key->text + strcspn(key->text, ":");
    if (*value == ':')
        value++;
    switch (key->kind) {
    case BRAKE_LOGIN:
        return strcmp(value, facts->login.text) == 0;
    case BRAKE_SENDER:
        return strcmp(value, facts->sender.text) == 0 ||
               strcmp(key->text, facts->identity) == 0;
    case BRAKE_CLIENT:
        return is_client(key, facts);
    case BRAKE_LIST:
        return reaches_list(facts, directory, value);
    case BRAKE_DOMAIN:
        return strcmp(value, address_domain(&facts->sender)) == 0;
    case BRAKE_ALL:
        return facts->measures[MEASURE_REACH] > 1;
    }
    return false;
}
