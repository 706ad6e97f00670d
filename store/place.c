/* A host may be a name: only connecting looks it up. */
#include "store/place.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool place_set(const char *host, size_t host_length, const char *port, struct place *out)
{
    int64_t number;
    const char *end = port;
    if (host_length == 0 || host_length >= sizeof out->host ||
        !text_take_number(&end, &number) || *end != '\0' || number < 1 || number > 65535)
        return false;
    *out = (struct place){.port = (int)number};
    memcpy(out->host, host, host_length);
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
    rest = text_after(text, "tcp:");
    const char *colon = rest == NULL ? NULL : strrchr(rest, ':');
    if (colon == NULL)
        return false;
    size_t length = (size_t)(colon - rest);
    if (length > 2 && rest[0] == '[' && colon[-1] == ']')
        return place_set(rest + 1, length - 2, colon + 1, out);
    return place_set(rest, length, colon + 1, out);
}

bool place_equal(const struct place *a, const struct place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0 &&
           strcmp(a->path, b->path) == 0;
}

const char *place_print(const struct place *place, char out[PLACE_TEXT_SIZE])
{
    if (place->host[0] == '\0')
        (void)snprintf(out, PLACE_TEXT_SIZE, "unix:%s", place->path);
    else if (strchr(place->host, ':') != NULL)
        (void)snprintf(out, PLACE_TEXT_SIZE, "tcp:[%s]:%d", place->host, place->port);
    else
        (void)snprintf(out, PLACE_TEXT_SIZE, "tcp:%s:%d", place->host, place->port);
    return out;
}
