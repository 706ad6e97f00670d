/* Strict: ids and addresses become arguments of programs to which some words mean
 * something else (ALL, -, options, file names). */
#include "helper/mta_order.h"

#include <string.h>

#include "base/queue_id.h"
#include "base/smtp_address.h"
#include "base/text.h"
#include "base/utf8.h"

#define DIGITS "0123456789"
static const char alphanumeric[] =
    DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The words after an order's name, one letter each: i(d), c(heck), n(otice's address
 * or none), a(ddresses, one or more). */
static const struct {
    const char *name;
    enum mta_verb verb;
    const char *words;
} verbs[] = {
    {"list", MTA_LIST, ""},          {"header", MTA_HEADER, "i"},
    {"envelope", MTA_ENVELOPE, "i"}, {"release", MTA_RELEASE, "ic"},
    {"delete", MTA_DELETE, "ic"},    {"hold", MTA_HOLD, "ic"},
    {"refuse", MTA_REFUSE, "icn"},   {"notice", MTA_NOTICE, "a"},
    {"queue", MTA_QUEUE, ""},
};

enum {
    VERB_COUNT = sizeof verbs / sizeof verbs[0],
    WORDS_MAX = MTA_ADDRESSES_MAX + 1,
    SECONDS_DIGITS_MAX = 12,
};

static bool is_queue_id(const char *word, enum mta_type type)
{
    return type == MTA_SENDMAIL ? queue_id_is_sendmail(word) : queue_id_is_postfix(word);
}

/* One to max characters, all of the alphabet. */
static bool is_of(const char *word, const char *alphabet, size_t max)
{
    size_t length = strlen(word);
    return length > 0 && length <= max && strspn(word, alphabet) == length;
}

/* It is only compared, never given to a program. */
static bool is_sender(const char *word)
{
    return strlen(word) <= MTA_SENDER_MAX && strchr(word, '@') != NULL && word[0] != '<';
}

static bool parse_check(const char *word, struct mta_order *order)
{
    order->hold_id = text_after(word, "hold_id=");
    order->sender = text_after(word, "sender=");
    order->arrived = text_after(word, "arrived=");
    if (order->hold_id != NULL)
        return is_of(order->hold_id, alphanumeric, MTA_HOLD_ID_MAX);
    if (order->arrived != NULL)
        return is_of(order->arrived, DIGITS, SECONDS_DIGITS_MAX);
    if (order->sender == NULL)
        return false;
    if (strcmp(order->sender, "<>") != 0)
        return is_sender(order->sender);
    order->sender = "";
    return true;
}

/* What is wrong with a word, or NULL. */
static const char *parse_word(char letter, const char *word, enum mta_type type,
                              struct mta_order *order)
{
    size_t count = 0;
    if (letter == 'i') {
        if (!is_queue_id(word, type))
            return "not a queue id";
        order->queue_id = word;
        return NULL;
    }
    if (letter == 'c')
        return parse_check(word, order)
                   ? NULL
                   : "not hold_id=ID, arrived=SECONDS or sender=ADDRESS";
    if (letter == 'n' && strcmp(word, "-") == 0)
        return NULL;
    while (order->to[count] != NULL)
        count++;
    order->to[count] = word;
    return smtp_address_is_valid(word) ? NULL : "not an address";
}

/* Two blanks make an empty word. Stops after WORDS_MAX + 1 words, one more than allowed.
 */
static size_t split(char *line, char *words[WORDS_MAX + 1])
{
    size_t count = 0;
    while (line != NULL && count <= WORDS_MAX) {
        size_t length = smtp_address_word(line);
        words[count++] = line;
        if (line[length] == '\0')
            break;
        line[length] = '\0';
        line += length + 1;
    }
    return count;
}

/* UTF-8, for addresses, without control characters. */
static bool is_text(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return false;
    }
    return utf8_is_valid(line, length);
}

enum status mta_order_parse(char *line, size_t length, enum mta_type type,
                            struct mta_order *out, struct error *error)
{
    char *words[WORDS_MAX + 1] = {0};
    size_t verb = 0;
    const char *wrong = NULL;
    *out = (struct mta_order){0};
    if (!is_text(line, length))
        return error_set(error, STATUS_INVALID,
                         "not an order: control characters, or not UTF-8");
    size_t count = split(line, words);
    while (verb < VERB_COUNT && strcmp(words[0], verbs[verb].name) != 0)
        verb++;
    if (verb == VERB_COUNT)
        return error_set(error, STATUS_INVALID, "no such order");
    out->verb = verbs[verb].verb;
    out->name = verbs[verb].name;
    out->has_text = out->verb == MTA_REFUSE || out->verb == MTA_NOTICE;
    size_t least = strlen(verbs[verb].words) + 1;
    size_t most = out->verb == MTA_NOTICE ? WORDS_MAX : least;
    if (count < least || count > most)
        return error_set(error, STATUS_INVALID, "wrong number of words for %s",
                         out->name);
    for (size_t i = 1; i < count && wrong == NULL; i++)
        wrong = parse_word(verbs[verb].words[i < least ? i - 1 : 0], words[i], type, out);
    return wrong == NULL ? STATUS_OK : error_set(error, STATUS_INVALID, "%s", wrong);
}

bool mta_order_may_batch(const struct mta_order *order)
{
    return order->verb != MTA_LIST && order->verb != MTA_NOTICE &&
           order->verb != MTA_QUEUE;
}
