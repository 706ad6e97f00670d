/* Each field is checked before anything is taken from it. */
#include "engine/explain_query.h"

#include <stdlib.h>
#include <string.h>

#include "base/ip_address.h"

enum { EXPLAINED_MAX = 5000 }; /* recipients, and header fields */

static const char *text_of(const json_t *document, const char *name)
{
    return json_string_value(json_object_get(document, name));
}

static bool is_text(const json_t *document, const char *name)
{
    const json_t *value = json_object_get(document, name);
    return value == NULL || json_is_null(value) || json_is_string(value);
}

/* An array of the document with at most EXPLAINED_MAX items, else NULL. */
static const json_t *array_of(const json_t *document, const char *name)
{
    const json_t *array = json_object_get(document, name);
    return json_is_array(array) && json_array_size(array) <= EXPLAINED_MAX ? array : NULL;
}

/* False when an item is not a string. */
static bool take_recipients(const json_t *array, struct explain_query *out)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *address = json_string_value(item);
        if (address == NULL)
            return false;
        out->recipients[i] =
            (struct envelope_recipient){.typed = address, .address = address};
    }
    out->envelope.recipients = out->recipients;
    out->envelope.recipient_count = json_array_size(array);
    return true;
}

static bool take_headers(const json_t *array, struct explain_query *out)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *value = json_string_value(json_object_get(item, "value"));
        if (name == NULL || value == NULL)
            return false;
        out->headers[i] = (struct header){.name = name, .value = value};
    }
    out->envelope.headers = out->headers;
    out->envelope.header_count = json_array_size(array);
    return true;
}

static bool take_client(const char *client, struct explain_query *out)
{
    uint8_t address[16];
    out->envelope.client = client;
    if (client == NULL)
        return true;
    out->envelope.local = strcmp(client, "local") == 0;
    return out->envelope.local || ip_address_parse(client, address);
}

const char *explain_query_read(const json_t *document, struct explain_query *out)
{
    *out = (struct explain_query){0};
    const json_t *to = array_of(document, "to");
    const json_t *headers = array_of(document, "headers");
    out->envelope.sender = text_of(document, "from");
    out->envelope.login = text_of(document, "login");
    bool sent = out->envelope.sender != NULL || out->envelope.login != NULL;
    if (!is_text(document, "from") || !is_text(document, "login") ||
        !is_text(document, "client"))
        return "\"from\", \"login\" and \"client\" are strings";
    if (!sent || to == NULL || json_array_size(to) == 0)
        return "\"from\" (or \"login\") and \"to\" (an array, not empty) are needed";
    if (headers == NULL && json_object_get(document, "headers") != NULL)
        return "\"headers\" is an array of {\"name\", \"value\"}";
    if (!take_client(text_of(document, "client"), out))
        return "\"client\" is an IP address or \"local\"";
    out->recipients = calloc(json_array_size(to) + 1, sizeof *out->recipients);
    out->headers = calloc(json_array_size(headers) + 1, sizeof *out->headers);
    if (out->recipients == NULL || out->headers == NULL)
        return "out of memory";
    if (!take_recipients(to, out))
        return "\"to\" is an array of strings";
    if (headers != NULL && !take_headers(headers, out))
        return "\"headers\" is an array of {\"name\", \"value\"}";
    return NULL;
}

void explain_query_clear(struct explain_query *query)
{
    free(query->recipients);
    free(query->headers);
}
