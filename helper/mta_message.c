/* Of a message's header only X-Mailbrake is kept, by which Mailbrake recognizes a message
 * whatever its queue id. */
#include "helper/mta_message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

static const char field_name[] = "X-Mailbrake:";

/* Appends to the last field, with '?' for what is not printable. */
static void add(struct mta_message *message, const char *value)
{
    struct text *hold_headers = &message->hold_headers;
    const char *last = hold_headers->length == 0
                           ? NULL
                           : memrchr(hold_headers->data, '\n', hold_headers->length);
    size_t start = last == NULL ? 0 : (size_t)(last - hold_headers->data) + 1;
    for (; *value != '\0' && hold_headers->length - start < MTA_HOLD_HEADER_BYTES;
         value++)
        text_add(hold_headers, *value < ' ' || *value > '~' ? "?" : value, 1);
}

void mta_message_add_header(struct mta_message *message, const char *line)
{
    bool folded = line[0] == ' ' || line[0] == '\t';
    size_t name = folded ? 0 : sizeof field_name - 1;
    message->in_header =
        folded ? message->in_header : strncasecmp(line, field_name, name) == 0;
    if (!message->in_header)
        return;
    if (!folded && ++message->hold_header_count > 1 &&
        message->hold_header_count <= MTA_HOLD_HEADERS_MAX)
        text_add_string(&message->hold_headers, "\n");
    if (message->hold_header_count > MTA_HOLD_HEADERS_MAX)
        return;
    const char *value = line + name + strspn(line + name, " \t");
    if (folded)
        add(message, " ");
    add(message, value);
}

bool mta_message_bears(const struct mta_message *message, const char *hold_id)
{
    size_t length = strlen(hold_id);
    for (const char *word = text_string(&message->hold_headers); *word != '\0';) {
        size_t end = strcspn(word, " \n");
        if (end == length + 3 && strncmp(word, "id=", 3) == 0 &&
            strncmp(word + 3, hold_id, length) == 0)
            return true;
        word += end + strspn(word + end, " \n");
    }
    return false;
}

/* In a stranger's bytes; NULL without memory. */
static json_t *make_string(const char *value)
{
    struct text clean = {0};
    utf8_add(&clean, value, strlen(value));
    json_t *string = clean.failed ? NULL : json_string(text_string(&clean));
    text_clear(&clean);
    return string;
}

/* False without memory. */
static bool add_line(struct text *out, json_t *json)
{
    char *line = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (line != NULL)
        text_add_string(out, line);
    free(line);
    json_decref(json);
    return line != NULL;
}

void mta_message_envelope(const struct mta_message *message, struct text *out)
{
    json_t *json = json_pack(
        "{s:o, s:I, s:o, s:o, s:b}", "sender", make_string(message->sender),
        "arrival_time", message->arrived_s, "login", make_string(message->login),
        "client", make_string(message->client), "local", message->local);
    out->failed = !add_line(out, json) || out->failed;
}

void mta_message_add_address(struct mta_message *message, const char *address)
{
    if (!message->wants_addresses)
        return;
    text_add_string(&message->addresses, address);
    text_add_string(&message->addresses, "\n");
}

void mta_message_addresses(const struct mta_message *message, struct text *out)
{
    json_t *array = json_array();
    json_t *json = json_pack("{s:b, s:o}", "old", message->old, "recipients", array);
    for (const char *line = text_string(&message->addresses); *line != '\0';) {
        struct text clean = {0};
        size_t length = strcspn(line, "\n");
        utf8_add(&clean, line, length);
        if (clean.failed ||
            json_array_append_new(array, json_string(text_string(&clean))) != 0)
            out->failed = true;
        text_clear(&clean);
        line += length + 1;
    }
    out->failed = !add_line(out, json) || out->failed;
}

void mta_message_list(const struct mta_message *message, const char *queue_id,
                      struct text *list)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:I, s:o, s:I}", "queue_name", message->queue, "queue_id",
        queue_id, "arrival_time", message->arrived_s, "size", message->size_bytes,
        "sender", make_string(message->sender), "recipients", message->recipients);
    bool fits = list->length < MTA_LIST_MAX;
    list->failed = !add_line(list, json) || !fits || list->failed;
    text_add_string(list, "\n");
}

void mta_message_clear(struct mta_message *message)
{
    text_clear(&message->hold_headers);
    text_clear(&message->addresses);
    *message = (struct mta_message){0};
}
