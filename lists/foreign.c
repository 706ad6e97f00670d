/* A line is enough: none of these means anything in a list, aliases(5) or virtual(5). */
#include "lists/foreign.h"

#include <string.h>

#include "base/network.h"
#include "base/text.h"
#include "lists/lines.h"

#define PATTERNS                                                                         \
    "is a table of patterns (pcre_table(5) or regexp_table(5)), not a list of addresses"
#define NETWORKS "is a table of networks (cidr_table(5)), not a list of addresses"
#define LDAP "holds the settings of an LDAP map (ldap_table(5)), not a list of addresses"
#define SQL                                                                              \
    "holds the settings of an SQL map (mysql_table(5) or pgsql_table(5)), not a list "   \
    "of addresses"
#define SQLITE                                                                           \
    "holds the settings of an SQLite map (sqlite_table(5)), not a list of addresses"
#define SETTINGS                                                                         \
    "holds settings (name = value), as of main.cf or of an LDAP or SQL map, not a list " \
    "of addresses"

/* Names that say which map it is, also without blanks around the '='. */
static const struct {
    const char *name, *what;
} names[] = {
    {"server_host", LDAP},
    {"server_port", LDAP},
    {"search_base", LDAP},
    {"query_filter", LDAP},
    {"result_attribute", LDAP},
    {"special_result_attribute", LDAP},
    {"leaf_result_attribute", LDAP},
    {"bind_dn", LDAP},
    {"bind_pw", LDAP},
    {"hosts", SQL},
    {"dbname", SQL},
    {"select_field", SQL},
    {"select_function", SQL},
    {"where_field", SQL},
    {"additional_conditions", SQL},
    {"query", SQL},
    {"dbpath", SQLITE},
};

static const char *skip_blanks(const char *c, const char *end)
{
    while (c < end && lines_is_blank(*c))
        c++;
    return c;
}

static const char *skip_word(const char *c, const char *end)
{
    while (c < end && !lines_is_blank(*c))
        c++;
    return c;
}

/* Past "/pattern/flags"; NULL when it isn't one. */
static const char *skip_pattern(const char *c, const char *end)
{
    c += c < end && *c == '!';
    if (c == end || *c != '/')
        return NULL;
    for (c++; c < end && *c != '/'; c++)
        c += *c == '\\' && c + 1 < end;
    if (c == end)
        return NULL;
    for (c++; c < end && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')); c++)
        ;
    return c == end || lines_is_blank(*c) ? c : NULL;
}

/* A network, or (unless alone) an address with something after it. */
static bool is_network(const char *word, const char *end, bool alone)
{
    char text[64];
    struct network network;
    struct error ignored;
    const char *c = word;
    while (c < end && ((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'f') ||
                       (*c >= 'A' && *c <= 'F') || *c == '.' || *c == ':' || *c == '/'))
        c++;
    size_t length = (size_t)(c - word);
    if ((c < end && !lines_is_blank(*c)) || length >= sizeof text)
        return false;
    memcpy(text, word, length);
    text[length] = '\0';
    alone = alone || skip_blanks(c, end) == end;
    return (!alone || strchr(text, '/') != NULL) &&
           network_parse(text, &network, &ignored) == STATUS_OK;
}

static const char *what_condition(const char *c, const char *end)
{
    if (*c != 'i' && *c != 'e')
        return NULL;
    const char *word_end = skip_word(c, end);
    const char *rest = skip_blanks(word_end, end);
    size_t length = (size_t)(word_end - c);
    if (length == 5 && memcmp(c, "endif", 5) == 0 && rest == end)
        return PATTERNS;
    if (length != 2 || memcmp(c, "if", 2) != 0 || rest == end)
        return NULL;
    if (skip_pattern(rest, end) != NULL)
        return PATTERNS;
    rest += *rest == '!';
    return is_network(rest, end, true) ? NETWORKS : NULL;
}

/* "name = value", or "name=value" of a known name. */
static const char *what_setting(const char *c, const char *end)
{
    const char *name_end = c;
    while (name_end < end && ((*name_end >= 'a' && *name_end <= 'z') ||
                              (*name_end >= '0' && *name_end <= '9') || *name_end == '_'))
        name_end++;
    const char *sign = skip_blanks(name_end, end);
    size_t length = (size_t)(name_end - c);
    if (length == 0 || sign == end || *sign != '=')
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) == length && memcmp(names[i].name, c, length) == 0)
            return names[i].what;
    }
    return sign > name_end ? SETTINGS : NULL;
}

/* More of the line before: blanks, and something after them. */
static bool goes_on(struct lines below)
{
    struct line next;
    if (!lines_next(&below, &next) || next.length == 0 || !lines_is_blank(*next.text))
        return false;
    const char *end = next.text + next.length;
    const char *c = skip_blanks(next.text, end);
    return c < end && *c != '#';
}

/* below: the lines that follow. */
static const char *what_line(const struct line *line, struct lines below)
{
    const char *end = line->text + line->length;
    const char *c = line->text;
    if (c == end || *c == '#' || lines_is_blank(*c))
        return NULL; /* nothing, or more of the line before */
    const char *what = what_condition(c, end);
    if (what == NULL)
        what = what_setting(c, end);
    if (what != NULL)
        return what;
    const char *value = skip_pattern(c, end);
    if (value != NULL) {
        value = skip_blanks(value, end);
        if (value == end ? goes_on(below) : *value != '#') /* else "/a/file # comment" */
            return PATTERNS;
    }
    return is_network(c, end, false) ? NETWORKS : NULL;
}

enum status foreign_check(const struct file *file, const char *path, struct error *error)
{
    struct lines lines = lines_after_plain(file);
    struct line line;
    const char *found = NULL;
    int number = 0;
    while (lines_next(&lines, &line)) {
        const char *what = what_line(&line, lines);
        if (what == NULL)
            continue;
        if (found == NULL)
            number = line.number;
        found = what;
        if (strcmp(what, SETTINGS) != 0) /* else a later line may say of what */
            break;
    }
    return found == NULL ? STATUS_OK
                         : error_set_at(error, STATUS_INVALID, path, number, "%s", found);
}
