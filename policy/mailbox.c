/* Stricter than address_parse: what a mail program may write is not what a person means.
 */
#include "policy/mailbox.h"

#include <string.h>

static enum status refuse(struct error *error, const char *text, const char *why)
{
    return error_set(error, STATUS_INVALID, "\"%.100s\": %s", text, why);
}

/* The part after a quoted local part; the whole text without one. */
static const char *skip_quoted(const char *text)
{
    const char *p = text;
    if (*p != '"')
        return text;
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return *p == '"' ? p + 1 : text;
}

enum status mailbox_parse(const char *text, const char *default_domain,
                          struct address *out, struct error *error)
{
    struct address address;
    const char *bare = skip_quoted(text);
    if (strpbrk(bare, "<>(),;*\" ") != NULL)
        return refuse(error, text, "is not an address (user@domain)");
    const char *at = strchr(bare, '@');
    if (at != NULL && strchr(at + 1, '@') != NULL)
        return refuse(error, text, "has two '@'");
    enum status status = address_parse(text, strlen(text), &address);
    if (status == STATUS_OK && address.at > 0 && default_domain != NULL)
        status = address_qualify(&address, default_domain);
    if (status == STATUS_NOMEM)
        return error_set(error, status, "out of memory");
    if (status != STATUS_OK)
        return refuse(error, text, "is too long for an address");
    if (address.at == 0 || address_domain(&address)[0] == '\0')
        return refuse(error, text, "is not an address (user@domain)");
    *out = address;
    return STATUS_OK;
}
