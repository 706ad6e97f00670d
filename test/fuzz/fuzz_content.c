/* Any message, as the root helper cuts it and the daemon decodes it: what an
 * administrator is shown is short, valid, and can't act on a terminal. */
#include <jansson.h>
#include <string.h>

#include "base/readable.h"
#include "base/utf8.h"
#include "control/content/content.h"
#include "control/content/mime.h"
#include "fuzz.h"
#include "helper/mta_excerpt.h"

/* It is shown as it is: to make it readable again changes nothing. */
static void claim_readable(const char *string, bool lines, size_t max)
{
    struct text again = {0};
    claim(string != NULL && strlen(string) <= max);
    claim(utf8_is_valid(string, strlen(string)));
    claim(readable_add(&again, string, strlen(string), lines, max));
    claim(strcmp(text_string(&again), string) == 0);
    claim(strpbrk(string, "\x1b\x07\x7f\r\t") == NULL);
    text_clear(&again);
}

static const char *string_at(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void claim_content(const char *excerpt, enum content allowed)
{
    size_t i;
    const json_t *one;
    json_t *content = content_json(excerpt, allowed);
    claim(content != NULL);
    if (json_is_string(json_object_get(content, "subject")))
        claim_readable(string_at(content, "subject"), false, MIME_VALUE_BYTES);
    json_array_foreach(json_object_get(content, "header"), i, one)
    {
        claim_readable(string_at(one, "name"), false, MIME_NAME_BYTES);
        claim_readable(string_at(one, "value"), false, MIME_VALUE_BYTES);
    }
    json_array_foreach(json_object_get(content, "attachments"), i, one)
    {
        claim_readable(string_at(one, "name"), false, MIME_NAME_BYTES);
        claim_readable(string_at(one, "type"), false, MIME_FIELD_WORD_SIZE);
        claim(json_integer_value(json_object_get(one, "size")) >= 0);
    }
    if (allowed == CONTENT_TEXT)
        claim_readable(string_at(content, "text"), true, CONTENT_TEXT_BYTES);
    json_decref(content);
}

/* As many times as the first byte says, so that bounds are met. */
static void cut(const char *data, size_t size, bool whole, struct text *out)
{
    struct mta_excerpt excerpt = {.out = out, .whole = whole};
    size_t times = size > 0 && data[0] == 'x' ? 40 : 1;
    for (size_t i = 0; i < times; i++) {
        struct text lines = {0};
        text_add(&lines, data, size);
        for (char *line = lines.data; line != NULL && line < lines.data + size;) {
            size_t length = strcspn(line, "\n");
            line[length] = '\0';
            mta_excerpt_add(&excerpt, line);
            line += length + 1;
        }
        text_clear(&lines);
    }
    mta_excerpt_end(&excerpt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text excerpt = {0};
    struct mime_message *message = calloc(1, sizeof *message);
    cut((const char *)data, size, true, &excerpt);
    claim(excerpt.length <= 2 * MTA_EXCERPT_BYTES);
    claim_content(text_string(&excerpt), CONTENT_TEXT);
    text_reset(&excerpt);
    cut((const char *)data, size, false, &excerpt);
    claim_content(text_string(&excerpt), CONTENT_SUBJECT);

    /* and whatever a helper might say */
    text_reset(&excerpt);
    text_add(&excerpt, (const char *)data, size);
    claim(mime_read(text_string(&excerpt), message) != STATUS_NOMEM);
    mime_clear(message);
    free(message);
    text_clear(&excerpt);
    return 0;
}
