/* Nothing of it is kept: the excerpt becomes the answer. */
#include "control/content/content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/readable.h"
#include "control/content/html_text.h"
#include "control/content/mime.h"

/* Of the first Subject, as mail programs show it; null when there is none. */
static json_t *make_subject(const struct mime_message *message)
{
    for (size_t i = 0; i < message->field_count; i++) {
        if (strcasecmp(message->fields[i].name, "Subject") == 0)
            return json_string(message->fields[i].value);
    }
    return json_null();
}

static json_t *make_header(const struct mime_message *message)
{
    json_t *header = json_array();
    for (size_t i = 0; i < message->field_count; i++)
        (void)json_array_append_new(header, json_pack("{s:s, s:s}", "name",
                                                      message->fields[i].name, "value",
                                                      message->fields[i].value));
    return header;
}

static json_t *make_attachments(const struct mime_message *message)
{
    json_t *attachments = json_array();
    for (size_t i = 0; i < message->attachment_count && i < MIME_ATTACHMENTS_MAX; i++) {
        const struct mime_attachment *attachment = &message->attachments[i];
        json_t *type = json_string(attachment->type); /* NULL: no UTF-8 */
        (void)json_array_append_new(
            attachments, json_pack("{s:s, s:o, s:I}", "name", attachment->name, "type",
                                   type == NULL ? json_string("") : type, "size",
                                   (json_int_t)attachment->size));
    }
    return attachments;
}

static bool is_blank(const struct text *text)
{
    return strspn(text_string(text), " \t\r\n") == text->length;
}

/* Empty lines at the end say nothing. */
static void trim(struct text *text)
{
    while (text->length > 0 && strchr(" \n", text->data[text->length - 1]) != NULL)
        text->data[--text->length] = '\0';
}

/* The plain text, if there is any, else that of the HTML. */
static bool add_text(const struct mime_message *message, json_t *out)
{
    struct text html = {0};
    struct text shown = {0};
    bool plain = message->plain.found && !is_blank(&message->plain.text);
    const struct mime_text *source = plain ? &message->plain : &message->html;
    const struct text *text = &source->text;
    const char *type = plain ? "text/plain" : source->found ? "text/html" : NULL;
    if (!plain) { /* more than is shown, to see whether there is more */
        html_text_add(&html, text_string(text), text->length, 4 * CONTENT_TEXT_BYTES);
        text = &html;
    }
    bool whole =
        readable_add(&shown, text_string(text), text->length, true, CONTENT_TEXT_BYTES);
    trim(&shown);
    json_t *json = json_pack("{s:s, s:s?, s:b}", "text", text_string(&shown), "text_type",
                             type, "text_cut", source->cut || !whole);
    bool added = !html.failed && !shown.failed && json_object_update(out, json) == 0;
    json_decref(json);
    text_clear(&shown);
    text_clear(&html);
    return added;
}

json_t *content_json(const char *excerpt, enum content content)
{
    struct mime_message *message = calloc(1, sizeof *message);
    json_t *out = NULL;
    if (message == NULL)
        return NULL;
    if (mime_read(excerpt, message) == STATUS_OK)
        out = json_pack("{s:s, s:o}", "allowed", mta_settings_contents[content],
                        "subject", make_subject(message));
    if (out != NULL && content == CONTENT_TEXT) {
        json_t *more =
            json_pack("{s:o, s:o, s:I, s:b}", "header", make_header(message),
                      "attachments", make_attachments(message), "attachment_count",
                      (json_int_t)message->attachment_count, "complete", !message->cut);
        if (more == NULL || json_object_update(out, more) != 0 ||
            !add_text(message, out)) {
            json_decref(out);
            out = NULL;
        }
        json_decref(more);
    }
    mime_clear(message);
    free(message);
    return out;
}
