/* What is not exactly an order is none: ids and addresses go to programs that give some
 * words a meaning of their own (ALL, -, options, names of files). */
#include "admin/mta_order.h"

#include <regex.h>
#include <string.h>

#include "base/text.h"

/* Postfix: hex of time and inode, or time in an alphabet without vowels, z, inode.
 * Sendmail: eight characters of time and sequence, then the process id. */
#define LONG_ID "0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y"
static const char *const queue_id_pattern[] = {
    [MTA_POSTFIX] = "^([0-9A-F]{6,}|[" LONG_ID "]{10,}z[" LONG_ID "]+)$",
    [MTA_SENDMAIL] = "^[0-9A-Za-z]{8}[0-9]{6,10}$",
};
static const char mark_pattern[] = "^[0-9A-Za-z]+$";
/* Less than RFC 5321 allows; none begins like an option, a file or a list. */
#define NOT_IN_ADDRESS "@<>|;,()\"'\\`"
static const char address_pattern[] =
    "^[^-/:" NOT_IN_ADDRESS "][^" NOT_IN_ADDRESS "]*@[^" NOT_IN_ADDRESS "]+$";

/* How an order goes on behind its name, a letter a word: i(d), c(heck), n(otice's address
 * or none), a(ddresses, one or more). */
static const struct {
    const char *name;
    enum mta_verb verb;
    const char *words;
} verbs[] = {
    {"list", MTA_LIST, ""},         {"header", MTA_HEADER, "i"},
    {"release", MTA_RELEASE, "ic"}, {"delete", MTA_DELETE, "ic"},
    {"hold", MTA_HOLD, "ic"},       {"refuse", MTA_REFUSE, "icn"},
    {"notice", MTA_NOTICE, "a"},
};

enum { VERB_COUNT = sizeof verbs / sizeof verbs[0], WORDS_MAX = MTA_ADDRESSES_MAX + 1 };

static bool is_like(const char *word, size_t max, const char *pattern)
{
    regex_t compiled;
    if (strlen(word) > max || regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool matches = regexec(&compiled, word, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

static bool parse_check(const char *word, struct mta_order *order)
{
    order->mark = text_after(word, "mark=");
    order->sender = text_after(word, "sender=");
    if (order->mark != NULL)
        return is_like(order->mark, MTA_HOLD_ID_MAX, mark_pattern);
    if (order->sender == NULL || strcmp(order->sender, "<>") != 0)
        return order->sender != NULL &&
               is_like(order->sender, MTA_ADDRESS_MAX, address_pattern);
    order->sender = "";
    return true;
}

/* What is wrong with a word, or NULL. */
static const char *parse_word(char letter, const char *word, enum mta_type type,
                              struct mta_order *order)
{
    size_t count = 0;
    if (letter == 'i') {
        order->queue_id = word;
        return is_like(word, MTA_QUEUE_ID_MAX, queue_id_pattern[type]) ? NULL
                                                                       : "not a queue id";
    }
    if (letter == 'c')
        return parse_check(word, order) ? NULL : "neither mark=ID nor sender=ADDRESS";
    if (letter == 'n' && strcmp(word, "-") == 0)
        return NULL;
    while (order->to[count] != NULL)
        count++;
    order->to[count] = word;
    return is_like(word, MTA_ADDRESS_MAX, address_pattern) ? NULL : "not an address";
}

enum status mta_order_parse(char *line, size_t length, enum mta_type type,
                            struct mta_order *out, struct error *error)
{
    char *words[WORDS_MAX + 1] = {0};
    size_t count = 0, verb = 0;
    const char *wrong = NULL;
    for (size_t i = 0; i < length; i++) {
        if (line[i] < ' ' || line[i] > '~')
            return error_set(error, STATUS_INVALID, "not an order: not printable ASCII");
    }
    do
        words[count++] = strsep(&line, " "); /* two blanks: an empty word */
    while (line != NULL && count <= WORDS_MAX);
    while (verb < VERB_COUNT && strcmp(words[0], verbs[verb].name) != 0)
        verb++;
    if (verb == VERB_COUNT)
        return error_set(error, STATUS_INVALID, "no such order");
    struct mta_order order = {.verb = verbs[verb].verb, .name = verbs[verb].name};
    order.has_text = order.verb == MTA_REFUSE || order.verb == MTA_NOTICE;
    size_t least = strlen(verbs[verb].words) + 1;
    size_t most = order.verb == MTA_NOTICE ? WORDS_MAX : least;
    if (count < least || count > most)
        return error_set(error, STATUS_INVALID, "wrong number of words for %s",
                         order.name);
    for (size_t i = 1; i < count && wrong == NULL; i++)
        wrong =
            parse_word(verbs[verb].words[i < least ? i - 1 : 0], words[i], type, &order);
    if (wrong != NULL)
        return error_set(error, STATUS_INVALID, "%s", wrong);
    *out = order;
    return STATUS_OK;
}
