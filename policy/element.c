/* Parses elements. What a typing mistake could turn into another element, or into one
 * that never matches, is invalid. */
#include "policy/element.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "policy/mailbox.h"

static enum status refuse(struct error *error, const char *string, const char *why)
{
    return error_set(error, STATUS_INVALID, "\"%.100s\": %s", string, why);
}

static enum status keep(struct element *out, enum element_kind kind, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return STATUS_NOMEM;
    *out = (struct element){.kind = kind, .text = copy};
    return STATUS_OK;
}

static enum status keep_lower(struct element *out, enum element_kind kind,
                              const char *text)
{
    enum status status = keep(out, kind, text);
    if (status == STATUS_OK)
        text_lower_all(out->text, strlen(out->text));
    return status;
}

/* The part after the '@', if there is one, spelled as in messages. */
static enum status keep_glob(struct element *out, enum element_kind kind,
                             const char *text, struct error *error)
{
    struct text whole = {0};
    const char *at = strchr(text, '@');
    size_t local = at == NULL ? strlen(text) : (size_t)(at + 1 - text);
    text_add(&whole, text, local);
    enum status status =
        at == NULL ? STATUS_OK : domains_spell(text + local, &whole, error);
    if (status == STATUS_OK)
        status = whole.failed ? STATUS_NOMEM : keep_lower(out, kind, text_string(&whole));
    text_clear(&whole);
    return status;
}

static bool has_two_ats(const char *text)
{
    const char *at = strchr(text, '@');
    return at != NULL && strchr(at + 1, '@') != NULL;
}

/* An '@' with nothing on one of its sides. */
static bool has_bare_at(const char *text)
{
    const char *at = strchr(text, '@');
    return at != NULL && (at == text || at[1] == '\0');
}

static enum status parse_login(const char *glob, struct element *out, struct error *error)
{
    if (glob[0] == '\0' || has_bare_at(glob) || strpbrk(glob, "<>(),\"") != NULL)
        return refuse(error, glob, "login: takes a user name, which may contain '*'");
    return keep_glob(out, ELEMENT_LOGIN, glob, error);
}

static enum status parse_client(const char *text, struct element *out,
                                struct error *error)
{
    struct network network;
    if (strcmp(text, "local") == 0)
        return keep(out, ELEMENT_CLIENT_LOCAL, text);
    enum status status = network_parse(text, &network, error);
    if (status != STATUS_OK)
        return status;
    status = keep(out, ELEMENT_CLIENT, text);
    if (status == STATUS_OK)
        out->network = network;
    return status;
}

static enum status parse_list(const char *text, const struct domains *own,
                              struct element *out, struct error *error)
{
    struct address address;
    if (strcmp(text, "*") == 0)
        return keep(out, ELEMENT_ANY_LIST, text);
    if (text[0] == '\0' || strchr(text, '*') != NULL || has_bare_at(text))
        return refuse(error, text, "list: takes the address of one list, or \"list:*\"");
    enum status status = mailbox_parse(text, domains_first(own), &address, error);
    return status == STATUS_OK ? keep(out, ELEMENT_LIST, address.text) : status;
}

/* Lower case and A-labels, as the domains of messages come. */
static enum status parse_domain(const char *text, struct element *out,
                                struct error *error)
{
    struct domains domains = {0};
    if (strchr(text, '*') != NULL)
        return refuse(error, text, "@ takes a domain without '*'; write *@DOMAIN");
    enum status status = domains_add(&domains, text, error);
    if (status == STATUS_OK)
        status = keep(out, ELEMENT_DOMAIN, domains_first(&domains));
    domains_clear(&domains);
    return status;
}

/* A pattern whose domain holds no '*' gets that domain in the spelling of messages. */
static enum status parse_pattern(const char *text, struct element *out,
                                 struct error *error)
{
    const char *at = strchr(text, '@');
    struct element domain = {0};
    assert(at != NULL); /* as parse_mailbox is called */
    if (strchr(at, '*') != NULL)
        return keep_glob(out, ELEMENT_ADDRESS, text, error);
    enum status status = parse_domain(at + 1, &domain, error);
    if (status != STATUS_OK)
        return status;
    struct text whole = {0};
    text_add(&whole, text, (size_t)(at + 1 - text));
    text_add_string(&whole, domain.text);
    status = whole.failed ? STATUS_NOMEM
                          : keep_lower(out, ELEMENT_ADDRESS, text_string(&whole));
    text_clear(&whole);
    element_clear(&domain);
    return status;
}

static enum status parse_mailbox(const char *text, struct element *out,
                                 struct error *error)
{
    struct address address;
    if (has_bare_at(text) || strpbrk(text, "<>(),;") != NULL)
        return refuse(error, text, "is not an address (user@domain)");
    if (strchr(text, '*') != NULL)
        return parse_pattern(text, out, error);
    enum status status = mailbox_parse(text, NULL, &address, error);
    return status == STATUS_OK ? keep(out, ELEMENT_ADDRESS, address.text) : status;
}

static bool is_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789_-")] == '\0';
}

/* "login:a" and "login:b" written as one. */
static bool has_two_prefixes(const char *text)
{
    static const char *const prefixes[] = {"login:", "client:", "list:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (text[0] != '\0' && strcasestr(text + 1, prefixes[i]) != NULL)
            return true;
    }
    return false;
}

/* No element contains blanks or control characters; the error must not repeat them. */
static enum status check_characters(const char *string, struct error *error)
{
    if (string[0] == '\0')
        return error_set(error, STATUS_INVALID, "an empty string matches nobody");
    for (const char *p = string; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f)
            return error_set(error, STATUS_INVALID,
                             "a string contains a blank or a control character");
    }
    if (has_two_ats(string))
        return refuse(error, string,
                      "has two '@': is a comma missing between two strings?");
    if (has_two_prefixes(string))
        return refuse(error, string,
                      "has two prefixes: is a comma missing between two strings?");
    return STATUS_OK;
}

enum status element_parse(const char *string, const struct domains *own,
                          struct element *out, struct error *error)
{
    const char *rest;
    enum status status = check_characters(string, error);
    if (status != STATUS_OK)
        return status;
    if ((rest = text_after(string, "login:")) != NULL)
        return parse_login(rest, out, error);
    if ((rest = text_after(string, "client:")) != NULL)
        return parse_client(rest, out, error);
    if ((rest = text_after(string, "list:")) != NULL)
        return parse_list(rest, own, out, error);
    if (strcmp(string, "<>") == 0)
        return keep(out, ELEMENT_NULL_SENDER, "");
    if (strchr(string, ':') != NULL)
        return refuse(error, string, "only login:, client: and list: take a colon");
    if ((rest = text_after(string, "@")) != NULL)
        return parse_domain(rest, out, error);
    if (strchr(string, '@') != NULL)
        return parse_mailbox(string, out, error);
    if (is_word(string))
        return keep(out, ELEMENT_GROUP, string);
    return refuse(error, string, "is neither a group's name nor an address");
}

void element_clear(struct element *element)
{
    free(element->text);
    *element = (struct element){0};
}

void element_format(const struct element *element, char *out, size_t size)
{
    static const char *const prefixes[] = {
        [ELEMENT_GROUP] = "",         [ELEMENT_LOGIN] = "login:",
        [ELEMENT_CLIENT] = "client:", [ELEMENT_CLIENT_LOCAL] = "client:",
        [ELEMENT_NULL_SENDER] = "<>", [ELEMENT_ADDRESS] = "",
        [ELEMENT_DOMAIN] = "@",       [ELEMENT_LIST] = "list:",
        [ELEMENT_ANY_LIST] = "list:",
    };
    (void)snprintf(out, size, "%s%s", prefixes[element->kind], element->text);
}

enum status elements_add(struct elements *elements, const struct element *element)
{
    if (!array_reserve(&elements->items, elements->count, sizeof *elements->items))
        return STATUS_NOMEM;
    elements->items[elements->count++] = *element;
    return STATUS_OK;
}

void elements_clear(struct elements *elements)
{
    for (size_t i = 0; i < elements->count; i++)
        element_clear(&elements->items[i]);
    free(elements->items);
    *elements = (struct elements){0};
}
