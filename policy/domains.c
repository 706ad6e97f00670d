/* A short array in the order of the configuration. Addresses and domains get their
 * canonical spelling in one place: a domain is parsed as the address "@domain". */
#include "policy/domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 }; /* RFC 1035 2.3.4, as text */

static bool is_label(const char *label, size_t length)
{
    if (length == 0 || length > LABEL_MAX_BYTES)
        return false;
    if (label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = label[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool is_name(const char *name)
{
    if (strlen(name) > NAME_MAX_BYTES)
        return false;
    for (;;) {
        size_t length = strcspn(name, ".");
        if (!is_label(name, length))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

/* Copies name into out_name ("@name") as A-labels; false when it isn't one. */
static bool canonical(const char *name, struct address *out_name)
{
    char raw[ADDRESS_SIZE];
    size_t length = strlen(name);
    if (length >= sizeof raw - 1 || strpbrk(name, "@:<>\"\\() \t\r\n") != NULL)
        return false;
    raw[0] = '@';
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): no string */
    memcpy(raw + 1, name, length);
    return address_parse(raw, length + 1, out_name) == STATUS_OK && out_name->at == 0 &&
           is_name(address_domain(out_name));
}

enum status domains_add(struct domains *domains, const char *name, struct error *error)
{
    struct address address;
    if (!canonical(name, &address))
        return error_set(error, STATUS_INVALID, "\"%.100s\" is not a domain", name);
    if (domains_have(domains, address_domain(&address)))
        return STATUS_OK;

    char *copy = strdup(address_domain(&address));
    if (copy == NULL ||
        !array_reserve(&domains->names, domains->count, sizeof *domains->names)) {
        free(copy);
        return error_set(error, STATUS_NOMEM, "out of memory");
    }
    domains->names[domains->count++] = copy;
    return STATUS_OK;
}

enum status domains_set_delimiters(struct domains *domains, const char *delimiters)
{
    char *copy = strdup(delimiters);
    if (copy == NULL)
        return STATUS_NOMEM;
    free(domains->delimiters);
    domains->delimiters = copy;
    return STATUS_OK;
}

static enum status spell_label(const char *label, size_t length, struct text *out,
                               struct error *error)
{
    struct address address;
    char raw[ADDRESS_SIZE];
    bool fits = length < sizeof raw;
    (void)snprintf(raw, sizeof raw, "%.*s", (int)(fits ? length : 0), label);
    if (fits && text_is_ascii(raw)) {
        text_lower_all(raw, length);
        text_add(out, raw, length);
        return STATUS_OK;
    }
    if (fits && strchr(raw, '*') != NULL)
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\": '*' can't stand in one label with letters that are "
                         "not ASCII",
                         raw);
    if (!fits || !canonical(raw, &address))
        return error_set(error, STATUS_INVALID, "\"%.100s\" is not a domain", label);
    text_add_string(out, address_domain(&address));
    return STATUS_OK;
}

enum status domains_spell(const char *glob, struct text *out, struct error *error)
{
    enum status status = STATUS_OK;
    if (strchr(glob, '*') == NULL)
        status = spell_label(glob, strlen(glob), out, error);
    for (const char *label = glob; status == STATUS_OK && strchr(glob, '*') != NULL;) {
        size_t length = strcspn(label, ".");
        status = spell_label(label, length, out, error);
        if (label[length] == '\0')
            break;
        text_add(out, ".", 1);
        label += length + 1;
    }
    return status == STATUS_OK && out->failed ? STATUS_NOMEM : status;
}

bool domains_have(const struct domains *domains, const char *domain)
{
    for (size_t i = 0; i < domains->count; i++) {
        if (strcmp(domains->names[i], domain) == 0)
            return true;
    }
    return false;
}

bool domains_have_address(const struct domains *domains, const struct address *address)
{
    return address->at < address->length &&
           domains_have(domains, address_domain(address));
}

const char *domains_first(const struct domains *domains)
{
    return domains->count == 0 ? NULL : domains->names[0];
}

void domains_clear(struct domains *domains)
{
    for (size_t i = 0; i < domains->count; i++)
        free(domains->names[i]);
    free(domains->names);
    free(domains->delimiters);
    *domains = (struct domains){0};
}
