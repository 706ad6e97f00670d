/* Types and syntax as in postconf(1), postmap(1), pcre_table(5), regexp_table(5) and
 * cidr_table(5). Nested tables are read from a list, not by recursion. */
#include "cli/mta/postmap.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/words.h"
#include "lists/file.h"
#include "lists/lines.h"

enum { NESTED_MAX = 50 };

/* A type's syntax, and the suffix of its compiled file. */
static const struct type {
    const char *prefix;
    enum { BY_KEY, BY_PATTERN } kind;
    const char *compiled; /* NULL: it isn't compiled */
} types[] = {
    {"hash:", BY_KEY, ".db"},      {"btree:", BY_KEY, ".db"}, {"lmdb:", BY_KEY, ".lmdb"},
    {"cdb:", BY_KEY, ".cdb"},      {"dbm:", BY_KEY, ".pag"},  {"sdbm:", BY_KEY, ".pag"},
    {"texthash:", BY_KEY, NULL},   {"cidr:", BY_KEY, NULL},   {"pcre:", BY_PATTERN, NULL},
    {"regexp:", BY_PATTERN, NULL},
};

static const char *behind_proxy(const char *table)
{
    const char *rest = text_after(table, "proxy:");
    return rest == NULL ? table : rest;
}

static const struct type *find_type(const char *table, const char **out_rest)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        *out_rest = text_after(table, types[i].prefix);
        if (*out_rest != NULL)
            return &types[i];
    }
    return NULL;
}

const char *postmap_text(const char *table)
{
    const char *rest;
    const struct type *type = find_type(behind_proxy(table), &rest);
    bool keyed =
        type != NULL && type->kind == BY_KEY && strcmp(type->prefix, "cidr:") != 0;
    return keyed && rest[0] == '/' ? rest : NULL;
}

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

enum postmap_age postmap_age(const char *table, char *out, size_t size)
{
    struct stat text;
    struct stat compiled;
    const char *rest;
    const struct type *type = find_type(behind_proxy(table), &rest);
    if (type == NULL || type->compiled == NULL)
        return POSTMAP_NONE;
    (void)snprintf(out, size, "%s%s", rest, type->compiled);
    if (stat(out, &compiled) != 0)
        return POSTMAP_NONE;
    if (stat(rest, &text) != 0)
        return errno == ENOENT ? POSTMAP_WITHOUT_TEXT : POSTMAP_NONE;
    return is_newer(&text.st_mtim, &compiled.st_mtim) ? POSTMAP_STALE : POSTMAP_FRESH;
}

bool postmap_is_table(const char *word)
{
    size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789");
    return length > 0 && word[length] == ':' && word[length + 1] != '\0';
}

/* ---- entries ---- */

struct postmap_reader {
    void (*take)(void *context, const struct postmap_entry *entry);
    void *context;
    char nested[NESTED_MAX][WORDS_ITEM_SIZE]; /* tables that are still to be read */
    size_t count;
};

static void give(struct postmap_reader *reader, char *key, char *value, bool pattern)
{
    size_t length = strlen(value);
    for (char *c = value; *c != '\0'; c++)
        if (isspace((unsigned char)*c))
            *c = ' ';
    while (length > 0 && value[length - 1] == ' ')
        value[--length] = '\0';
    struct postmap_entry entry = {
        .key = key, .value = value + strspn(value, " "), .pattern = pattern};
    reader->take(reader->context, &entry);
}

/* "key value"; a key may be quoted. */
static char *end_of_key(char *line)
{
    bool quoted = false;
    char *c = line;
    for (; *c != '\0' && (quoted || !lines_is_blank(*c)); c++)
        quoted = *c == '"' ? !quoted : quoted;
    return c;
}

/* "/pattern/flags value"; "if" and "endif" say nothing by themselves. NULL: no entry. */
static char *end_of_pattern(char *line)
{
    char *c = line + strspn(line, "! \t");
    char mark = *c;
    if (mark == '\0' || isalnum((unsigned char)mark))
        return NULL;
    for (c++; *c != '\0' && *c != mark; c++)
        if (*c == '\\' && c[1] != '\0')
            c++;
    while (*c != '\0' && !lines_is_blank(*c))
        c++;
    return c;
}

static bool is_condition(const char *line)
{
    return text_after(line, "if") != NULL || text_after(line, "endif") != NULL;
}

static void take_line(struct postmap_reader *reader, const struct type *type, char *line)
{
    bool pattern = type->kind == BY_PATTERN;
    bool conditions = pattern || strcmp(type->prefix, "cidr:") == 0;
    if (conditions && is_condition(line))
        return;
    char *end = pattern ? end_of_pattern(line) : end_of_key(line);
    if (end == NULL)
        return;
    char *value = *end == '\0' ? end : end + 1;
    *end = '\0';
    give(reader, line, value, pattern);
}

static bool read_text(struct postmap_reader *reader, const struct type *type,
                      const char *path)
{
    struct file file = {0};
    struct error error = {0};
    struct line line;
    if (file_read(path, FILE_BYTES_MAX, &file, &error) != STATUS_OK)
        return false;
    struct lines lines = lines_of(file.data, file.length);
    while (lines_next_logical(&lines, &line)) {
        line.text[line.length] = '\0'; /* over the newline, or behind the last byte */
        take_line(reader, type, line.text);
    }
    file_clear(&file);
    return true;
}

/* The inside of "{ ... }" in word itself. */
static char *inside(char *word)
{
    size_t length = strlen(word);
    while (length > 0 && isspace((unsigned char)word[length - 1]))
        word[--length] = '\0';
    if (word[0] != '{' || length < 2 || word[length - 1] != '}')
        return word;
    word[length - 1] = '\0';
    return word + 1 + strspn(word + 1, " \t\r\n");
}

/* inline:{ key=value, { key = value } } */
static void read_inline(struct postmap_reader *reader, char *list)
{
    struct words words = words_of(inside(list));
    while (words_next(&words) != NULL) {
        char *entry = inside(words.item);
        char *equals = strchr(entry, '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        entry[strcspn(entry, " \t")] = '\0';
        give(reader, entry, equals + 1, false);
    }
}

/* pcre:{ { /pattern/ value }, ... }, and so with regexp: and cidr:. */
static void read_rules(struct postmap_reader *reader, const struct type *type, char *list)
{
    struct words words = words_of(inside(list));
    while (words_next(&words) != NULL)
        take_line(reader, type, inside(words.item));
}

/* unionmap:{ table, table }: what each says is delivered to. */
static bool read_nested(struct postmap_reader *reader, char *list)
{
    struct words words = words_of(inside(list));
    while (reader->count < NESTED_MAX) {
        const char *table = words_next(&words);
        if (table == NULL)
            return true;
        (void)snprintf(reader->nested[reader->count++], WORDS_ITEM_SIZE, "%s", table);
    }
    return false;
}

/* randmap:{ value, value } */
static void read_values(struct postmap_reader *reader, char *list)
{
    struct words words = words_of(inside(list));
    while (words_next(&words) != NULL)
        give(reader, NULL, inside(words.item), false);
}

/* False when its entries can't be known. */
static bool read_one(struct postmap_reader *reader, char *table)
{
    const char *rest;
    char *whole = table + (behind_proxy(table) - table);
    const struct type *type = find_type(whole, &rest);
    char *colon = strchr(whole, ':');
    if (type != NULL && rest[0] == '/')
        return read_text(reader, type, rest);
    if (type != NULL && rest[0] == '{') {
        read_rules(reader, type, whole + (rest - whole));
        return true;
    }
    if (text_after(whole, "inline:") != NULL)
        read_inline(reader, colon + 1);
    else if (text_after(whole, "static:") != NULL)
        give(reader, NULL, inside(colon + 1), false);
    else if (text_after(whole, "randmap:") != NULL)
        read_values(reader, colon + 1);
    else if (text_after(whole, "unionmap:") != NULL)
        return read_nested(reader, colon + 1);
    else
        return text_after(whole, "fail:") != NULL;
    return true;
}

bool postmap_read(const char *table,
                  void (*take)(void *context, const struct postmap_entry *entry),
                  void *context, char *out_unknown, size_t size)
{
    char name[WORDS_ITEM_SIZE];
    bool known = true;
    struct postmap_reader *reader = calloc(1, sizeof *reader);
    (void)snprintf(out_unknown, size, "%s", table);
    if (reader == NULL || strlen(table) >= WORDS_ITEM_SIZE) {
        free(reader);
        return false;
    }
    reader->take = take;
    reader->context = context;
    (void)snprintf(reader->nested[reader->count++], WORDS_ITEM_SIZE, "%s", table);
    while (reader->count > 0) {
        (void)snprintf(name, sizeof name, "%s", reader->nested[--reader->count]);
        char *copy = strdup(name);
        if (copy != NULL && read_one(reader, copy)) {
            free(copy);
            continue;
        }
        free(copy);
        known = false;
        (void)snprintf(out_unknown, size, "%s", name);
    }
    free(reader);
    return known;
}
