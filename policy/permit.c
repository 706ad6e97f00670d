/* A brake that stops too much is cleared; a permit that lets too much pass is a storm. So
 * what a brake takes on faith, a permit does not: a MAIL FROM anybody can write. */
#include "policy/permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/mailbox.h"

#define DAY_MS INT64_C(86400000)

struct rate permit_rate(int64_t copies, int64_t from_ms, int64_t until_ms)
{
    int64_t kept_ms = until_ms - from_ms + DAY_MS;
    if (kept_ms > RATE_PERIOD_MAX_MS)
        kept_ms = RATE_PERIOD_MAX_MS;
    return (struct rate){.tokens = 0, .period_ms = kept_ms, .burst = copies};
}

struct charge permit_charge(const struct permit *permit, int64_t cost)
{
    return (struct charge){.fingerprint = PERMIT_FINGERPRINT,
                           .subject = permit->id,
                           .rate = &permit->rate,
                           .cost = cost,
                           .monitor = true,
                           .permit = true};
}

#define LIST "list:"

/* The address of "list:ADDRESS", or of ADDRESS. */
static const char *address_of(const char *to)
{
    return strncasecmp(to, LIST, strlen(LIST)) == 0 ? to + strlen(LIST) : to;
}

enum status permit_parse_to(const char *text, const struct domains *own, char **out,
                            struct error *error)
{
    struct address address;
    const char *typed = address_of(text);
    if (typed[0] != '"' && typed[strcspn(typed, ":@")] == ':')
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\": is neither an address nor list:ADDRESS", text);
    enum status status = mailbox_parse(typed, domains_first(own), &address, error);
    if (status != STATUS_OK)
        return status;
    if (asprintf(out, "%s%s", typed == text ? "" : LIST, address.text) < 0)
        return STATUS_NOMEM;
    return STATUS_OK;
}

static char *copy_string(const char *string)
{
    return strdup(string == NULL ? "" : string);
}

static bool copy_to(const struct permit *permit, struct permit *out)
{
    out->to = calloc(permit->to_count + 1, sizeof *out->to);
    for (size_t i = 0; out->to != NULL && i < permit->to_count; i++) {
        out->to[i] = strdup(permit->to[i]);
        if (out->to[i] == NULL)
            return false;
        out->to_count++;
    }
    return out->to != NULL;
}

bool permit_copy(const struct permit *permit, struct permit *out)
{
    struct permit copy = *permit;
    copy.to = NULL;
    copy.to_count = 0;
    copy.id = copy_string(permit->id);
    copy.key.text = copy_string(permit->key.text);
    copy.by = copy_string(permit->by);
    copy.reason = copy_string(permit->reason);
    if (copy.id == NULL || copy.key.text == NULL || copy.by == NULL ||
        copy.reason == NULL || !copy_to(permit, &copy)) {
        permit_clear(&copy);
        return false;
    }
    *out = copy;
    return true;
}

void permit_clear(struct permit *permit)
{
    for (size_t i = 0; i < permit->to_count; i++)
        free(permit->to[i]);
    free(permit->to);
    free(permit->id);
    brake_key_clear(&permit->key);
    free(permit->by);
    free(permit->reason);
    *permit = (struct permit){0};
}

/* The value of "kind:value". */
static const char *value_of(const struct brake_key *key)
{
    return strchr(key->text, ':') + 1;
}

/* Whether the MAIL FROM is believed, as in a rule's from. */
static bool is_believed(const struct facts *facts, const struct domains *own)
{
    return facts->sender.length > 0 &&
           (facts->trusted || !domains_have_address(own, &facts->sender) ||
            strcmp(facts->login.text, facts->sender.text) == 0);
}

static bool is_of_key(const struct permit *permit, const struct facts *facts,
                      const struct domains *own, const struct directory *directory)
{
    const struct brake_key *key = &permit->key;
    switch (key->kind) {
    case BRAKE_SENDER:
        return is_believed(facts, own) && strcmp(value_of(key), facts->sender.text) == 0;
    case BRAKE_DOMAIN:
        return is_believed(facts, own) &&
               strcmp(value_of(key), address_domain(&facts->sender)) == 0;
    case BRAKE_LOGIN:
    case BRAKE_CLIENT:
    case BRAKE_LIST:
        return brake_key_matches(key, facts, directory);
    case BRAKE_ALL:
        break;
    }
    return false;
}

/* By its address, or by another one of the same list. */
static bool is_named(const struct permit *permit, const struct recipient *recipient,
                     const struct directory *directory)
{
    for (size_t i = 0; i < permit->to_count; i++) {
        const char *to = address_of(permit->to[i]);
        struct address address;
        struct target target = {.list = DIRECTORY_NONE};
        if (recipient_is(recipient, to))
            return true;
        if (recipient->list == DIRECTORY_NONE ||
            address_parse(to, strlen(to), &address) != STATUS_OK)
            continue;
        directory_find(directory, &address, &target);
        if (target.list == recipient->list)
            return true;
    }
    return false;
}

bool permit_matches(const struct permit *permit, const struct facts *facts,
                    const struct domains *own, const struct directory *directory,
                    int64_t now_ms)
{
    if (now_ms < permit->from_ms || now_ms >= permit->until_ms ||
        !is_of_key(permit, facts, own, directory))
        return false;
    for (size_t i = 0; permit->to_count > 0 && i < facts->recipient_count; i++) {
        if (!is_named(permit, &facts->recipients[i], directory))
            return false;
    }
    return true;
}
