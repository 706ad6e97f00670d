/* Words are shortened in place: an escape is never longer than what it stands for. */
#include "support/script_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Reads the escape after a backslash; returns how many characters it took, 0 if none. */
static size_t escape(const char *at, char *out)
{
    static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
    const char *known = *at != '\0' ? strchr(from, *at) : NULL;
    if (known != NULL) {
        *out = to[known - from];
        return 1;
    }
    if (at[0] != 'x' || at[1] == '\0' || at[2] == '\0')
        return 0;
    char digits[3] = {at[1], at[2], '\0'}, *end;
    unsigned long code = strtoul(digits, &end, 16);
    if (*end != '\0' || code == 0)
        return 0;
    *out = (char)code;
    return 3;
}

/* Writes the word that starts at *inout_at, NUL-terminated, over itself. */
static enum status cut_word(char **inout_at, struct error *error)
{
    char *from = *inout_at, *to = *inout_at;
    bool quoted = false;
    while (*from != '\0' && (quoted || strchr(" \t\n", *from) == NULL)) {
        if (*from == '"') {
            quoted = !quoted;
            from++;
        } else if (*from == '\\') {
            size_t taken = escape(from + 1, to);
            if (taken == 0)
                return error_set(error, STATUS_INVALID, "bad escape");
            from += 1 + taken;
            to++;
        } else {
            *to++ = *from++;
        }
    }
    if (quoted)
        return error_set(error, STATUS_INVALID, "no closing quote");
    if (*from != '\0')
        from++;
    *to = '\0';
    *inout_at = from;
    return STATUS_OK;
}

enum status script_line_split(char *line, char *words[SCRIPT_WORDS_MAX + 1],
                              size_t *out_count, struct error *error)
{
    size_t count = 0;
    char *at = line + strspn(line, " \t\n");
    while (*at != '\0') {
        if (count == SCRIPT_WORDS_MAX)
            return error_set(error, STATUS_LIMIT, "too many words");
        words[count++] = at;
        enum status status = cut_word(&at, error);
        if (status != STATUS_OK)
            return status;
        at += strspn(at, " \t\n");
    }
    words[count] = NULL;
    *out_count = count;
    return STATUS_OK;
}
