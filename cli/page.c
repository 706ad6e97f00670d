/* Long texts are wrapped. */
#include "cli/page.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "base/text.h"

enum { NAME_WIDTH = 14, VALUE_WIDTH = 84 };

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

void page_table(const json_t *array, const char *none,
                const struct text_table_column *columns, size_t count,
                void (*add)(struct text_table *table, const json_t *item))
{
    size_t i;
    const json_t *item;
    if (json_array_size(array) == 0) {
        (void)puts(none);
        return;
    }
    struct text_table *table = text_table_new(columns, count);
    json_array_foreach(array, i, item) add(table, item);
    text_table_print(table, 0);
}
