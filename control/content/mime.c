/* Line by line. A stack of boundaries says which part a line belongs to: a delimiter of
 * an outer part ends all parts inside. */
#include "control/content/mime.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/readable.h"
#include "policy/charset.h"
#include "policy/encoded.h"

enum { FIELD_BYTES = 16 * 1024, RAW_BYTES = 64 * 1024 };

enum encoding { ENCODING_NONE, ENCODING_BASE64, ENCODING_QUOTED_PRINTABLE };

/* The part that lines belong to now. */
struct part {
    char type[MIME_FIELD_WORD_SIZE];
    enum encoding encoding;
    bool attached;  /* by its Content-Disposition */
    bool container; /* of parts: its own lines are nobody's */
    struct text name, charset, boundary;
    size_t bytes, lines, equals; /* of the body */
    struct text raw;             /* the body as it came, of what may be shown */
    bool cut;                    /* raw is not all of it */
};

struct reader {
    struct mime_message *out;
    struct text boundaries[MIME_DEPTH_MAX];
    size_t depth;
    bool in_header, first; /* first: the message's own */
    struct text field;     /* the one that is being unfolded */
    struct part part;
    bool failed;
};

/* ---- header ---- */

static void part_clear(struct part *part)
{
    text_clear(&part->name);
    text_clear(&part->charset);
    text_clear(&part->boundary);
    text_clear(&part->raw);
    *part = (struct part){.type = "text/plain"};
}

/* A readable line of at most max bytes, owned. */
static char *make_line(struct reader *reader, const char *text, size_t length, size_t max)
{
    struct text line = {0};
    char *string = NULL;
    (void)readable_add(&line, text, length, false, max);
    if (text_take(&line, STATUS_OK, &string) != STATUS_OK)
        reader->failed = true;
    return string;
}

static char *decode(struct reader *reader, const char *value, size_t length, size_t max)
{
    struct text decoded = {0};
    encoded_decode(value, length, &decoded);
    char *line = make_line(reader, text_string(&decoded), decoded.length, max);
    reader->failed = reader->failed || decoded.failed;
    text_clear(&decoded);
    return line;
}

static void keep_field(struct reader *reader, const char *name, size_t length,
                       const char *value)
{
    struct mime_message *out = reader->out;
    if (out->field_count == MIME_FIELDS_MAX) {
        out->cut = true;
        return;
    }
    struct mime_field *field = &out->fields[out->field_count++];
    field->name = decode(reader, name, length, MIME_NAME_BYTES);
    field->value = decode(reader, value, strlen(value), MIME_VALUE_BYTES);
}

/* A name of a file may also be in encoded words, against RFC 2047. The first one counts.
 */
static void take_name(struct reader *reader, const char *value, const char *parameter)
{
    struct text name = {0};
    struct part *part = &reader->part;
    if (part->name.length == 0 && mime_field_parameter(value, parameter, &name))
        encoded_decode(text_string(&name), name.length, &part->name);
    reader->failed = reader->failed || name.failed || part->name.failed;
    text_clear(&name);
}

static void take_type(struct reader *reader, const char *value)
{
    struct part *part = &reader->part;
    mime_field_word(value, part->type);
    text_reset(&part->charset);
    text_reset(&part->boundary);
    (void)mime_field_parameter(value, "charset", &part->charset);
    (void)mime_field_parameter(value, "boundary", &part->boundary);
    reader->failed = reader->failed || part->charset.failed || part->boundary.failed;
    take_name(reader, value, "name");
}

static void take_field(struct reader *reader)
{
    char word[MIME_FIELD_WORD_SIZE];
    const char *field = text_string(&reader->field);
    const char *colon = strchr(field, ':');
    if (colon == NULL)
        return;
    size_t length = (size_t)(colon - field);
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    if (reader->first)
        keep_field(reader, field, length, value);
    if (length == 12 && strncasecmp(field, "Content-Type", length) == 0) {
        take_type(reader, value);
    } else if (length == 25 &&
               strncasecmp(field, "Content-Transfer-Encoding", length) == 0) {
        mime_field_word(value, word);
        reader->part.encoding = strcmp(word, "base64") == 0 ? ENCODING_BASE64
                                : strcmp(word, "quoted-printable") == 0
                                    ? ENCODING_QUOTED_PRINTABLE
                                    : ENCODING_NONE;
    } else if (length == 19 && strncasecmp(field, "Content-Disposition", length) == 0) {
        mime_field_word(value, word);
        reader->part.attached = strcmp(word, "attachment") == 0;
        take_name(reader, value, "filename");
    }
}

static void end_field(struct reader *reader)
{
    take_field(reader);
    text_reset(&reader->field);
}

static void end_header(struct reader *reader)
{
    struct part *part = &reader->part;
    end_field(reader);
    reader->in_header = reader->first = false;
    part->container = strncmp(part->type, "multipart/", 10) == 0 &&
                      part->boundary.length > 0 && reader->depth < MIME_DEPTH_MAX;
    if (!part->container)
        return;
    reader->boundaries[reader->depth++] = part->boundary;
    part->boundary = (struct text){0};
}

static void add_header_line(struct reader *reader, const char *line, size_t length)
{
    bool folded = line[0] == ' ' || line[0] == '\t';
    if (length == 0) {
        end_header(reader);
        return;
    }
    if (!folded)
        end_field(reader);
    if (reader->field.length + length <= FIELD_BYTES)
        text_add(&reader->field, line, length);
    reader->failed = reader->failed || reader->field.failed;
}

/* ---- body ---- */

static int64_t size_of(const struct part *part)
{
    int64_t bytes = (int64_t)part->bytes;
    int64_t lines = (int64_t)part->lines;
    int64_t equals = (int64_t)part->equals;
    int64_t size = bytes + lines;
    if (part->encoding == ENCODING_BASE64)
        return (bytes - equals) * 3 / 4;
    if (part->encoding == ENCODING_QUOTED_PRINTABLE)
        size -= 2 * equals; /* "=XX" is one byte, "=" at the end of a line none */
    /* The last line break belongs to the delimiter. */
    return size > 0 ? size - 1 : 0;
}

static bool is_shown(const struct reader *reader)
{
    const struct part *part = &reader->part;
    if (part->attached || part->container)
        return false;
    return (strcmp(part->type, "text/plain") == 0 && !reader->out->plain.found) ||
           (strcmp(part->type, "text/html") == 0 && !reader->out->html.found);
}

static void add_body_line(struct reader *reader, const char *line, size_t length)
{
    struct part *part = &reader->part;
    part->bytes += length;
    part->lines++;
    for (size_t i = 0; i < length; i++)
        part->equals += line[i] == '=';
    if (part->cut || !is_shown(reader))
        return;
    part->cut = part->raw.length + length >= RAW_BYTES;
    if (part->cut)
        return;
    text_add(&part->raw, line, length);
    text_add_string(&part->raw, "\n");
    reader->failed = reader->failed || part->raw.failed;
}

static void decode_text(struct reader *reader, struct mime_text *out)
{
    struct part *part = &reader->part;
    struct text bytes = {0};
    struct charsets charsets = {0};
    const char *raw = text_string(&part->raw);
    const char *charset = text_string(&part->charset);
    if (part->encoding == ENCODING_BASE64)
        encoded_base64(raw, part->raw.length, &bytes);
    else if (part->encoding == ENCODING_QUOTED_PRINTABLE)
        mime_field_quoted_printable(raw, part->raw.length, &bytes);
    else
        text_add(&bytes, raw, part->raw.length);
    charset_add(&charsets, charset_find(charset, part->charset.length),
                text_string(&bytes), bytes.length, &out->text);
    charsets_clear(&charsets);
    out->found = true;
    out->cut = part->cut;
    reader->failed = reader->failed || bytes.failed || out->text.failed;
    text_clear(&bytes);
}

static void keep_attachment(struct reader *reader)
{
    struct part *part = &reader->part;
    size_t i = reader->out->attachment_count++;
    if (i >= MIME_ATTACHMENTS_MAX)
        return;
    struct mime_attachment *attachment = &reader->out->attachments[i];
    memcpy(attachment->type, part->type, sizeof attachment->type);
    attachment->size = size_of(part);
    attachment->name =
        make_line(reader, text_string(&part->name), part->name.length, MIME_NAME_BYTES);
}

/* Text without a name between other parts, like the footer of a list, is not shown. */
static void end_part(struct reader *reader)
{
    struct part *part = &reader->part;
    if (reader->in_header)
        end_header(reader);
    bool plain = strcmp(part->type, "text/plain") == 0;
    bool html = strcmp(part->type, "text/html") == 0;
    if (is_shown(reader))
        decode_text(reader, plain ? &reader->out->plain : &reader->out->html);
    else if (!part->container &&
             (part->attached || part->name.length > 0 || !(plain || html)))
        keep_attachment(reader);
    part_clear(part);
}

/* ---- lines ---- */

/* Which boundary a line is a delimiter of, the innermost first; depth: of none. */
static size_t find_boundary(const struct reader *reader, const char *line, size_t length,
                            bool *out_closes)
{
    for (size_t i = reader->depth; i > 0; i--) {
        const struct text *boundary = &reader->boundaries[i - 1];
        size_t end = boundary->length + 2;
        if (length < end || memcmp(line + 2, boundary->data, boundary->length) != 0)
            continue;
        *out_closes = length >= end + 2 && line[end] == '-' && line[end + 1] == '-';
        end += *out_closes ? 2 : 0;
        while (end < length && (line[end] == ' ' || line[end] == '\t'))
            end++;
        if (end == length)
            return i - 1;
    }
    return reader->depth;
}

static bool take_delimiter(struct reader *reader, const char *line, size_t length)
{
    bool closes;
    if (length < 2 || line[0] != '-' || line[1] != '-')
        return false;
    size_t found = find_boundary(reader, line, length, &closes);
    if (found == reader->depth)
        return false;
    end_part(reader);
    while (reader->depth > found + !closes)
        text_clear(&reader->boundaries[--reader->depth]);
    reader->in_header = !closes;
    reader->part.container = closes; /* what comes before the next one is nobody's */
    return true;
}

static void add_line(struct reader *reader, const char *line, size_t length)
{
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (take_delimiter(reader, line, length))
        return;
    if (reader->in_header)
        add_header_line(reader, line, length);
    else
        add_body_line(reader, line, length);
}

/* "BYTES LINES EQUALS"; false when it is not that. */
static bool skip_lines(struct reader *reader, const char *line)
{
    int64_t numbers[3];
    for (size_t i = 0; i < 3; i++) {
        if (!text_take_number(&line, &numbers[i]) || numbers[i] > INT32_MAX ||
            *line++ != (i < 2 ? ' ' : '\n'))
            return false;
    }
    if (reader->in_header)
        return true;
    reader->part.bytes += (size_t)numbers[0];
    reader->part.lines += (size_t)numbers[1];
    reader->part.equals += (size_t)numbers[2];
    reader->part.cut = true;
    return true;
}

static enum status read_lines(struct reader *reader, const char *at)
{
    while (*at != '\0' && !reader->failed) {
        size_t length = strcspn(at, "\n");
        if (at[length] != '\n')
            return STATUS_INVALID;
        if (*at == ' ')
            add_line(reader, at + 1, length - 1);
        else if (*at == '+' && !skip_lines(reader, at + 1))
            return STATUS_INVALID;
        else if (*at == '-')
            reader->part.cut = reader->out->cut = true;
        else if (*at != '+')
            return STATUS_INVALID;
        at += length + 1;
    }
    return STATUS_OK;
}

enum status mime_read(const char *excerpt, struct mime_message *out)
{
    struct reader reader = {.out = out, .in_header = true, .first = true};
    part_clear(&reader.part);
    enum status status = read_lines(&reader, excerpt);
    if (status == STATUS_OK)
        end_part(&reader);
    while (reader.depth > 0)
        text_clear(&reader.boundaries[--reader.depth]);
    part_clear(&reader.part);
    text_clear(&reader.field);
    return reader.failed ? STATUS_NOMEM : status;
}

void mime_clear(struct mime_message *message)
{
    for (size_t i = 0; i < message->field_count; i++) {
        free(message->fields[i].name);
        free(message->fields[i].value);
    }
    for (size_t i = 0; i < message->attachment_count && i < MIME_ATTACHMENTS_MAX; i++)
        free(message->attachments[i].name);
    text_clear(&message->plain.text);
    text_clear(&message->html.text);
    *message = (struct mime_message){0};
}
