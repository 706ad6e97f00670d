/* Cells are collected first, since the width of a column depends on all of them. In a
 * table that is too wide, the widest text columns shrink first. */
#include "base/text_table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "base/text.h"

enum { KEY_INDENT = 4 };

struct text_table {
    const struct text_table_column *columns;
    size_t column_count;
    char **cells; /* owned, escaped */
    size_t count;
    bool failed;
};

struct text_table *text_table_new(const struct text_table_column *columns, size_t count)
{
    struct text_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->columns = columns;
    table->column_count = count;
    return table;
}

void text_table_add(struct text_table *table, const char *text)
{
    struct text cell = {0};
    if (table == NULL || table->failed)
        return;
    output_add_clean(&cell, text);
    char *copy = cell.failed ? NULL : strdup(text_string(&cell));
    text_clear(&cell);
    if (copy == NULL ||
        !array_reserve(&table->cells, table->count, sizeof *table->cells)) {
        free(copy);
        table->failed = true;
        return;
    }
    table->cells[table->count++] = copy;
}

void text_table_add_number(struct text_table *table, long long number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", number);
    text_table_add(table, text);
}

void text_table_add_instant(struct text_table *table, const char *instant)
{
    char local[INSTANT_SIZE];
    instant_local(instant, clock_wall_ms(), local);
    text_table_add(table, local);
}

/* ---- column widths ---- */

static void measure(const struct text_table *table, size_t widths[TEXT_TABLE_COLUMNS_MAX])
{
    assert(table->column_count > 0);
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = strlen(table->columns[i].head);
    for (size_t i = 0; i < table->count; i++) {
        size_t length = strlen(table->cells[i]);
        if (length > widths[i % table->column_count])
            widths[i % table->column_count] = length;
    }
}

static size_t sum(const struct text_table *table,
                  const size_t widths[TEXT_TABLE_COLUMNS_MAX])
{
    size_t all = table->column_count - 1;
    for (size_t i = 0; i < table->column_count; i++)
        all += widths[i];
    return all;
}

/* The widest column of a kind that is wider than least and its head, or SIZE_MAX. */
static size_t find_widest(const struct text_table *table,
                          const size_t widths[TEXT_TABLE_COLUMNS_MAX],
                          enum text_table_kind kind, size_t least)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < table->column_count; i++) {
        size_t head = strlen(table->columns[i].head);
        if (table->columns[i].kind == kind && widths[i] > least && widths[i] > head &&
            (found == SIZE_MAX || widths[i] > widths[found]))
            found = i;
    }
    return found;
}

/* Which kind of column shrinks first, and how far. */
static void shrink(const struct text_table *table, size_t room,
                   size_t widths[TEXT_TABLE_COLUMNS_MAX])
{
    static const struct {
        enum text_table_kind kind;
        size_t least;
    } turns[] = {{TEXT_TABLE_TEXT, 24},
                 {TEXT_TABLE_KEY, 40},
                 {TEXT_TABLE_TEXT, 10},
                 {TEXT_TABLE_KEY, 10}};
    for (size_t turn = 0; turn < sizeof turns / sizeof turns[0]; turn++) {
        size_t widest = 0;
        while (widest != SIZE_MAX && sum(table, widths) > room) {
            widest = find_widest(table, widths, turns[turn].kind, turns[turn].least);
            if (widest != SIZE_MAX)
                widths[widest]--;
        }
    }
}

/* ---- printing ---- */

static void print_cut(const char *cell, size_t width)
{
    if (strlen(cell) > width && width > 2)
        (void)printf("%.*s..", (int)(width - 2), cell);
    else
        (void)printf("%.*s", (int)width, cell);
}

static void break_line(size_t column)
{
    (void)printf("\n%*s", (int)column, "");
}

/* at: the column of the line in which the cell begins. */
static void print_cell(const struct text_table *table, size_t i, const char *cell,
                       size_t width, size_t at)
{
    bool last = i + 1 == table->column_count;
    bool whole = table->columns[i].kind == TEXT_TABLE_KEY && strlen(cell) > width;
    size_t shown = strlen(cell) < width ? strlen(cell) : width;
    if (i > 0 && !(whole && last))
        (void)fputc(' ', stdout);
    if (table->columns[i].kind == TEXT_TABLE_NUMBER) {
        (void)printf("%*s", (int)width, cell);
    } else if (whole) {
        if (last)
            break_line(KEY_INDENT);
        (void)fputs(cell, stdout);
        if (!last)
            break_line(at + width);
    } else {
        print_cut(cell, width);
        if (!last)
            (void)printf("%*s", (int)(width - shown), "");
    }
    if (last)
        (void)fputc('\n', stdout);
}

static void print_row(const struct text_table *table, const char *const *cells,
                      const size_t widths[TEXT_TABLE_COLUMNS_MAX], size_t indent)
{
    size_t at = indent;
    (void)printf("%*s", (int)indent, "");
    for (size_t i = 0; i < table->column_count; i++) {
        print_cell(table, i, cells[i], widths[i], at);
        at += widths[i] + 1;
    }
}

static void print_all(const struct text_table *table, size_t indent)
{
    size_t widths[TEXT_TABLE_COLUMNS_MAX];
    const char *heads[TEXT_TABLE_COLUMNS_MAX];
    measure(table, widths);
    shrink(table, TEXT_TABLE_WIDTH - indent, widths);
    for (size_t i = 0; i < table->column_count; i++)
        heads[i] = table->columns[i].head;
    print_row(table, heads, widths, indent);
    for (size_t i = 0; i + table->column_count <= table->count; i += table->column_count)
        print_row(table, (const char *const *)table->cells + i, widths, indent);
}

void text_table_free(struct text_table *table)
{
    for (size_t i = 0; table != NULL && i < table->count; i++)
        free(table->cells[i]);
    if (table != NULL)
        free(table->cells);
    free(table);
}

void text_table_print(struct text_table *table, size_t indent)
{
    if (table == NULL || table->failed)
        output_complaint("out of memory");
    else
        print_all(table, indent);
    text_table_free(table);
}
