/* What is not exactly an order is none: ids and addresses go to programs that give some
 * words a meaning of their own (ALL, -, options). */
#include "admin/mta_order.h"

#include <string.h>

static const char digits[] = "0123456789";
static const char long_id[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy";
static const char alphanumeric[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz";

/* How an order goes on behind its name. */
enum { HAS_ID = 1, HAS_CHECK = 2, HAS_ADDRESSES = 4, HAS_TEXT = 8 };

static const struct {
    const char *name;
    enum mta_verb verb;
    int has;
    size_t least, most; /* words, with its name */
} verbs[] = {
    {"list", MTA_LIST, 0, 1, 1},
    {"header", MTA_HEADER, HAS_ID, 2, 2},
    {"release", MTA_RELEASE, HAS_ID | HAS_CHECK, 3, 3},
    {"delete", MTA_DELETE, HAS_ID | HAS_CHECK, 3, 3},
    {"hold", MTA_HOLD, HAS_ID | HAS_CHECK, 3, 3},
    {"refuse", MTA_REFUSE, HAS_ID | HAS_CHECK | HAS_ADDRESSES | HAS_TEXT, 4, 4},
    {"notice", MTA_NOTICE, HAS_ADDRESSES | HAS_TEXT, 2, MTA_ADDRESSES_MAX + 1},
};

enum { VERB_COUNT = sizeof verbs / sizeof verbs[0], WORDS_MAX = MTA_ADDRESSES_MAX + 1 };

/* Postfix: hex of time and inode, or time in an alphabet without vowels, z, inode.
 * Sendmail: eight characters of time and sequence, then the process id. */
static bool is_queue_id(const char *id, enum mta_type type)
{
    size_t length = strlen(id);
    if (length > MTA_QUEUE_ID_MAX)
        return false;
    if (type == MTA_SENDMAIL) {
        size_t pid = length < 14 ? 0 : strspn(id + 8, digits);
        return pid >= 6 && pid <= 10 && 8 + pid == length &&
               strspn(id, alphanumeric) >= 8;
    }
    if (length >= 6 && strspn(id, "0123456789ABCDEF") == length)
        return true;
    size_t time = strspn(id, long_id);
    if (time < 10 || id[time] != 'z')
        return false;
    size_t inode = strspn(id + time + 1, long_id);
    return inode > 0 && time + 1 + inode == length;
}

static bool is_address(const char *address)
{
    size_t length = strlen(address);
    const char *at = strchr(address, '@');
    return length <= MTA_ADDRESS_MAX && address[0] != '-' && at != NULL && at > address &&
           at[1] != '\0' && strchr(at + 1, '@') == NULL &&
           strpbrk(address, "<>|;\"'\\`") == NULL;
}

static bool parse_check(const char *word, struct mta_order *order)
{
    if (strncmp(word, "mark=", 5) == 0) {
        const char *id = word + 5;
        size_t length = strlen(id);
        order->mark = id;
        return length > 0 && length <= MTA_HOLD_ID_MAX &&
               strspn(id, alphanumeric) == length;
    }
    if (strncmp(word, "sender=", 7) != 0)
        return false;
    bool null = strcmp(word + 7, "<>") == 0;
    order->sender = null ? "" : word + 7;
    return null || is_address(order->sender);
}

/* Words between single blanks; two blanks have an empty word between them. Returns how
 * many there are, WORDS_MAX + 1 when too many. */
static size_t split(char *line, char *words[WORDS_MAX])
{
    size_t count = 0;
    for (char *word = line; word != NULL; count++) {
        if (count == WORDS_MAX)
            return WORDS_MAX + 1;
        words[count] = strsep(&word, " ");
    }
    return count;
}

/* The words behind the name. */
static const char *parse_words(char *const *words, size_t count, int has,
                               enum mta_type type, struct mta_order *order)
{
    size_t next = 1;
    if ((has & HAS_ID) != 0) {
        order->queue_id = words[next++];
        if (!is_queue_id(order->queue_id, type))
            return "not a queue id";
    }
    if ((has & HAS_CHECK) != 0 && !parse_check(words[next++], order))
        return "neither mark=ID nor sender=ADDRESS";
    if (order->verb == MTA_REFUSE && strcmp(words[next], "-") == 0)
        return NULL;
    for (size_t i = 0; next < count; next++) {
        if (!is_address(words[next]))
            return "not an address";
        order->to[i++] = words[next];
    }
    return NULL;
}

enum status mta_order_parse(char *line, size_t length, enum mta_type type,
                            struct mta_order *out, struct error *error)
{
    char *words[WORDS_MAX] = {0};
    size_t verb = 0;
    for (size_t i = 0; i < length; i++) {
        if (line[i] < ' ' || line[i] > '~')
            return error_set(error, STATUS_INVALID, "not an order: not printable ASCII");
    }
    size_t count = split(line, words);
    while (verb < VERB_COUNT && strcmp(words[0], verbs[verb].name) != 0)
        verb++;
    if (verb == VERB_COUNT)
        return error_set(error, STATUS_INVALID, "no such order");
    struct mta_order order = {.verb = verbs[verb].verb, .name = verbs[verb].name};
    order.has_text = (verbs[verb].has & HAS_TEXT) != 0;
    if (count < verbs[verb].least || count > verbs[verb].most)
        return error_set(error, STATUS_INVALID, "wrong number of words for %s",
                         order.name);
    const char *wrong = parse_words(words, count, verbs[verb].has, type, &order);
    if (wrong != NULL)
        return error_set(error, STATUS_INVALID, "%s", wrong);
    *out = order;
    return STATUS_OK;
}
