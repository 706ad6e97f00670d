/* Each delimiter of MIME parts begins with "--", and no line of base64 does: so each part
 * has its beginning in the excerpt, whatever size the ones before it have. */
#include "helper/mta_excerpt.h"

#include <string.h>
#include <strings.h>

/* What was left out since the last line. '=' counts for the size of decoded text. */
static void flush(struct mta_excerpt *excerpt)
{
    if (excerpt->skipped_bytes > 0 || excerpt->skipped_lines > 0)
        text_printf(excerpt->out, "+%zu %zu %zu\n", excerpt->skipped_bytes,
                    excerpt->skipped_lines, excerpt->skipped_equals);
    excerpt->skipped_bytes = excerpt->skipped_lines = excerpt->skipped_equals = 0;
}

static void skip(struct mta_excerpt *excerpt, const char *line)
{
    excerpt->skipped_lines++;
    for (; *line != '\0'; line++) {
        excerpt->skipped_bytes++;
        excerpt->skipped_equals += *line == '=';
    }
}

/* A line that is too long for what is left of its run begins in it. */
static void give(struct mta_excerpt *excerpt, const char *line)
{
    size_t length = strlen(line);
    size_t left = MTA_EXCERPT_RUN_BYTES - excerpt->run_bytes;
    size_t shown = length < left ? length : left;
    flush(excerpt);
    text_add_string(excerpt->out, " ");
    text_add(excerpt->out, line, shown);
    text_add_string(excerpt->out, "\n");
    excerpt->bytes += shown + 2;
    excerpt->run_bytes += shown;
    if (shown < length) {
        skip(excerpt, line + shown);
        excerpt->skipped_lines--;
    }
}

static void add_subject(struct mta_excerpt *excerpt, const char *line)
{
    bool folded = line[0] == ' ' || line[0] == '\t';
    if (!folded)
        excerpt->in_subject = strncasecmp(line, "Subject:", strlen("Subject:")) == 0;
    if (excerpt->in_subject && !excerpt->in_body &&
        excerpt->run_bytes < MTA_EXCERPT_RUN_BYTES)
        give(excerpt, line);
}

void mta_excerpt_add(struct mta_excerpt *excerpt, const char *line)
{
    excerpt->in_body = excerpt->in_body || line[0] == '\0';
    if (!excerpt->whole) {
        add_subject(excerpt, line);
        return;
    }
    if (excerpt->ended)
        return;
    if (excerpt->bytes >= MTA_EXCERPT_BYTES) {
        flush(excerpt);
        text_add_string(excerpt->out, "-\n");
        excerpt->ended = true;
        return;
    }
    if (strncmp(line, "--", 2) == 0)
        excerpt->run_bytes = 0;
    if (excerpt->run_bytes < MTA_EXCERPT_RUN_BYTES)
        give(excerpt, line);
    else
        skip(excerpt, line);
}

void mta_excerpt_end(struct mta_excerpt *excerpt)
{
    if (!excerpt->ended)
        flush(excerpt);
}
