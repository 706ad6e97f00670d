/* A host may be a name: only connecting looks it up. */
#include "store/place.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool place_set(const struct place *from, const char *host, size_t host_length,
               const char *port, struct place *out)
{
    struct place place = {.tls = from->tls};
    int64_t number;
    const char *end = port;
    if (host_length == 0 || host_length >= sizeof out->host ||
        !text_take_number(&end, &number) || *end != '\0' || number < 1 || number > 65535)
        return false;
    place.port = (int)number;
    memcpy(place.host, host, host_length);
    *out = place;
    return true;
}

bool place_parse(const char *text, struct place *out)
{
    const char *rest = text_after(text, "unix:");
    if (rest != NULL) {
        *out = (struct place){0};
        return (size_t)snprintf(out->path, sizeof out->path, "%s", rest) <
               sizeof out->path;
    }
    const struct place like = {.tls = text_after(text, "tls:") != NULL};
    rest = text_after(text, like.tls ? "tls:" : "tcp:");
    const char *colon = rest == NULL ? NULL : strrchr(rest, ':');
    if (colon == NULL)
        return false;
    size_t length = (size_t)(colon - rest);
    if (length > 2 && rest[0] == '[' && colon[-1] == ']')
        return place_set(&like, rest + 1, length - 2, colon + 1, out);
    return place_set(&like, rest, length, colon + 1, out);
}

bool place_equal(const struct place *a, const struct place *b)
{
    return a->port == b->port && a->tls == b->tls && strcmp(a->host, b->host) == 0 &&
           strcmp(a->path, b->path) == 0;
}

const char *place_print(const struct place *place, char out[PLACE_TEXT_SIZE])
{
    const char *kind = place->tls ? "tls" : "tcp";
    bool brackets = strchr(place->host, ':') != NULL;
    if (place->host[0] == '\0')
        (void)snprintf(out, PLACE_TEXT_SIZE, "unix:%s", place->path);
    else
        (void)snprintf(out, PLACE_TEXT_SIZE, brackets ? "%s:[%s]:%d" : "%s:%s:%d", kind,
                       place->host, place->port);
    return out;
}
