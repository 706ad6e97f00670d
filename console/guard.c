/* Everything is compared with Host, once that is known to be ours. */
#include "console/guard.h"

#include <string.h>
#include <strings.h>

/* The length of a Host without its port; 0 when it is malformed. */
static size_t name_length(const char *host)
{
    size_t length = strcspn(host, ":");
    if (host[0] == '[') { /* [::1] */
        const char *end = strchr(host, ']');
        length = end == NULL ? 0 : (size_t)(end + 1 - host);
    }
    const char *port = host + length;
    if (port[0] == ':' && port[1] != '\0' &&
        port[1 + strspn(port + 1, "0123456789")] == '\0')
        return length;
    return port[0] == '\0' ? length : 0;
}

static bool is_ours(const struct guard *guard, const char *host)
{
    size_t length = name_length(host);
    for (size_t i = 0; i < guard->host_count; i++) {
        if (length > 0 && strlen(guard->hosts[i]) == length &&
            strncasecmp(guard->hosts[i], host, length) == 0)
            return true;
    }
    return false;
}

static bool is_our_origin(const struct guard *guard, const char *origin, const char *host)
{
    size_t length = strlen(guard->scheme);
    return strncmp(origin, guard->scheme, length) == 0 &&
           strncmp(origin + length, "://", 3) == 0 &&
           strcasecmp(origin + length + 3, host) == 0;
}

const char *guard_refusal(const struct guard *guard, const struct guard_fields *fields,
                          bool is_page)
{
    const char *site = fields->fetch_site;
    bool reads =
        strcmp(fields->method, "GET") == 0 || strcmp(fields->method, "HEAD") == 0;
    if (fields->host == NULL || !is_ours(guard, fields->host))
        return "this page is not served under that Host";
    if (fields->origin != NULL && !is_our_origin(guard, fields->origin, fields->host))
        return "another site's page asks (Origin)";
    if (!reads && fields->origin == NULL)
        return "a change needs an Origin";
    if (!reads && (fields->mark == NULL || strcmp(fields->mark, "1") != 0))
        return "a change needs the header X-Mailbrake: 1";
    if (site != NULL && !is_page && strcmp(site, "same-origin") != 0 &&
        strcmp(site, "none") != 0)
        return "another site's page asks (Sec-Fetch-Site)";
    return NULL;
}
