/* A message as somebody reads it: fields, text, what is attached. From the lines that
 * mailbrake-mta gives of it. Strangers wrote it: every list, depth and size has a cap,
 * and nothing recurses. All strings are readable (base/readable.h), and the texts at
 * least valid UTF-8. */
#ifndef CONTROL_MIME_H
#define CONTROL_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "control/content/mime_field.h"

enum {
    MIME_FIELDS_MAX = 200,
    MIME_ATTACHMENTS_MAX = 100,
    MIME_DEPTH_MAX = 20, /* parts in parts; what is deeper is one attachment */
    MIME_VALUE_BYTES = 1000,
    MIME_NAME_BYTES = 255,
};

struct mime_field {
    char *name, *value; /* owned; unfolded, encoded words decoded */
};

struct mime_attachment {
    char *name;                      /* owned; "" when it has none */
    char type[MIME_FIELD_WORD_SIZE]; /* "application/pdf" */
    int64_t size;                    /* bytes, decoded */
};

struct mime_text {
    bool found;
    bool cut; /* there is more */
    struct text text;
};

/* Zero-initialise; clear when done. */
struct mime_message {
    struct mime_field fields[MIME_FIELDS_MAX]; /* of its own header, in order */
    size_t field_count;
    struct mime_text plain, html; /* the first of each that is no attachment */
    struct mime_attachment attachments[MIME_ATTACHMENTS_MAX];
    size_t attachment_count; /* all; those past the maximum are not kept */
    bool cut;                /* the message goes on: there may be more of everything */
};

/* excerpt: see content in mailbrake-mta(8). INVALID when it is none, NOMEM. */
enum status mime_read(const char *excerpt, struct mime_message *out) MUST_CHECK;

void mime_clear(struct mime_message *message);

#endif
