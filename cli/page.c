/* Long texts are wrapped. */
#include "cli/page.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "base/readable.h"
#include "base/text.h"
#include "base/utf8.h"

/* LISTS_SIZE: as much as fits; `quarantine show` prints all of a message's lists. */
enum { NAME_WIDTH = 14, VALUE_WIDTH = 84, LISTS_SIZE = 600 };

const char *page_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

long long page_number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* How much of a text fits a line: up to its last blank, if it has one. */
static size_t fitting(const char *text, size_t length)
{
    size_t cut = VALUE_WIDTH;
    if (length <= cut)
        return length;
    while (cut > 0 && text[cut] != ' ')
        cut--;
    return cut > 0 ? cut : VALUE_WIDTH;
}

void page_field(const char *name, const char *text)
{
    struct text line = {0};
    output_add_clean(&line, text);
    const char *rest = text_string(&line);
    size_t left = line.length;
    do {
        size_t length = fitting(rest, left);
        (void)printf("%-*s %.*s\n", NAME_WIDTH, name, (int)length, rest);
        length += length < left && rest[length] == ' ';
        rest += length;
        left -= length;
        name = "";
    } while (left > 0);
    text_clear(&line);
}

/* How much of a line fits the page, up to its last blank, if it has one: wide characters,
 * from U+1100 on, take two columns. */
static size_t fitting_columns(const char *text, size_t length)
{
    size_t columns = 0;
    size_t blank = 0;
    for (size_t at = 0; at < length;) {
        uint32_t character;
        size_t step = utf8_next(text + at, length - at, &character);
        columns += character < 0x1100 ? 1 : 2;
        if (columns > VALUE_WIDTH)
            return blank > 0 ? blank : at;
        at += step;
        blank = character == ' ' ? at : blank;
    }
    return length;
}

void page_readable(const char *name, const char *text)
{
    struct text shown = {0};
    (void)setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): one thread */
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0; /* NOLINT: the same */
    (void)readable_add(&shown, text, strlen(text), true, SIZE_MAX);
    const char *at = text_string(&shown);
    do {
        size_t length = strcspn(at, "\n");
        size_t part = utf8 ? fitting_columns(at, length) : length;
        if (utf8) {
            (void)printf("%-*s %.*s\n", NAME_WIDTH, name, (int)part, at);
        } else {
            char *line = strndup(at, part);
            page_field(name, line == NULL ? "" : line);
            free(line);
        }
        at += part;
        at += part == length && *at == '\n';
        name = "";
    } while (*at != '\0');
    text_clear(&shown);
}

void page_instant(const char *name, const char *instant)
{
    char local[INSTANT_SIZE];
    instant_local(instant, clock_wall_ms(), local);
    page_field(name, local);
}

void page_strings(const char *name, const json_t *array, long long count)
{
    size_t i;
    const json_t *item;
    long long shown = (long long)json_array_size(array);
    json_array_foreach(array, i, item)
    {
        const char *text = json_string_value(item);
        page_field(i == 0 ? name : "", text == NULL ? "" : text);
    }
    if (count > shown)
        (void)printf("%-*s and %lld more\n", NAME_WIDTH, shown == 0 ? name : "",
                     count - shown);
}

const char *page_plural(long long number, const char *one, const char *many)
{
    return number == 1 ? one : many;
}

void page_restart(const json_t *names)
{
    size_t i;
    const json_t *name;
    bool mta = false;
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        mta = mta || strncmp(text, "mta.", 4) == 0;
        page_field(i == 0 ? "restart" : "", text);
    }
    if (i > 0)
        page_field("", mta ? "changed; takes effect after: systemctl restart mailbraked "
                             "mailbrake-mta"
                           : "changed; takes effect after: systemctl restart mailbraked");
}

/* ---- tables ---- */

bool page_knows_reach(const json_t *record)
{
    return !json_is_null(json_object_get(record, "reach"));
}

static const char *string_of(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

void page_cell_instant(struct text_table *table, const json_t *value)
{
    text_table_add_instant(table, string_of(value));
}

void page_cell_reach(struct text_table *table, const json_t *value)
{
    if (json_is_null(value))
        text_table_add(table, "?");
    else
        text_table_add_number(table, (long long)json_integer_value(value));
}

void page_cell_lists(struct text_table *table, const json_t *value)
{
    size_t i;
    const json_t *list;
    struct text lists = {0};
    json_array_foreach(json_object_get(value, "lists"), i, list)
    {
        const char *address = string_of(list);
        if (lists.length + strlen(address) + 3 > LISTS_SIZE)
            break;
        text_printf(&lists, "%s%s", lists.length == 0 ? "" : ", ", address);
    }
    const char *none = json_is_true(json_object_get(value, "restored")) ? "(rebuilt)"
                       : !page_knows_reach(value)                       ? "(not known)"
                       : page_number(value, "list_count") > 0           ? "(many)"
                                                                        : "(none)";
    text_table_add(table, lists.length > 0 ? text_string(&lists) : none);
    text_clear(&lists);
}

void page_cell_approved(struct text_table *table, const json_t *value)
{
    size_t i;
    const json_t *name;
    struct text names = {0};
    json_array_foreach(json_object_get(value, "approved_by"), i, name)
        text_printf(&names, "%s%s", i == 0 ? "" : ", ", string_of(name));
    text_table_add(table, text_string(&names));
    text_clear(&names);
}

static void add_cell(struct text_table *table, const struct page_column *column,
                     const json_t *item)
{
    const json_t *value =
        column->field == NULL ? item : json_object_get(item, column->field);
    if (column->add != NULL)
        column->add(table, value);
    else if (column->kind == TEXT_TABLE_NUMBER)
        text_table_add_number(table, (long long)json_integer_value(value));
    else
        text_table_add(table, string_of(value));
}

void page_rows(const json_t *array, size_t limit, size_t indent,
               const struct page_column *columns, size_t count)
{
    struct text_table_column heads[TEXT_TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < count; i++)
        heads[i] = (struct text_table_column){columns[i].head, columns[i].kind};
    struct text_table *table = text_table_new(heads, count);
    for (size_t row = 0; row < json_array_size(array) && row < limit; row++)
        for (size_t i = 0; i < count; i++)
            add_cell(table, &columns[i], json_array_get(array, row));
    text_table_print(table, indent);
}

void page_table(const json_t *array, const char *none, const struct page_column *columns,
                size_t count)
{
    if (json_array_size(array) > 0)
        page_rows(array, SIZE_MAX, 0, columns, count);
    else
        (void)puts(none);
}
