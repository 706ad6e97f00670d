/* Each form is a run of characters of one alphabet, with a minimum length. */
#include "base/queue_id.h"

#include <string.h>

#define DIGITS "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
/* No vowels, so that no id spells a word. */
#define BASE_51 DIGITS "BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"

enum {
    SHORT_MIN = 6,
    TIME_MIN = 10,
    STAMP_LENGTH = 8,
    PROCESS_MIN = 6,
    PROCESS_MAX = 10,
};

static bool is_long(const char *text, size_t length)
{
    const char *separator = strrchr(text, 'z');
    if (separator == NULL || separator - text < TIME_MIN)
        return false;
    return strspn(text, BASE_51 "z") == length && separator[1] != '\0';
}

bool queue_id_is_postfix(const char *text)
{
    size_t length = strlen(text);
    if (length > QUEUE_ID_MAX)
        return false;
    return (length >= SHORT_MIN && strspn(text, DIGITS "ABCDEF") == length) ||
           is_long(text, length);
}

bool queue_id_is_sendmail(const char *text)
{
    size_t length = strlen(text);
    if (length < STAMP_LENGTH + PROCESS_MIN || length > STAMP_LENGTH + PROCESS_MAX)
        return false;
    return strspn(text, DIGITS UPPER LOWER) >= STAMP_LENGTH &&
           strspn(text + STAMP_LENGTH, DIGITS) == length - STAMP_LENGTH;
}

bool queue_id_is_valid(const char *text)
{
    return queue_id_is_postfix(text) || queue_id_is_sendmail(text);
}
