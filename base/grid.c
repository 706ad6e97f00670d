/* Cells are gathered first: how wide a column is depends on all of them. The widest texts
 * give way before the others do. */
#include "base/grid.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "base/text.h"

enum { KEY_INDENT = 4 };

struct grid {
    const struct grid_column *columns;
    size_t column_count;
    char **cells; /* owned, escaped */
    size_t count, capacity;
    bool failed;
};

struct grid *grid_new(const struct grid_column *columns, size_t count)
{
    struct grid *grid = calloc(1, sizeof *grid);
    if (grid == NULL)
        return NULL;
    grid->columns = columns;
    grid->column_count = count;
    return grid;
}

static bool reserve(struct grid *grid)
{
    if (grid->count < grid->capacity)
        return true;
    size_t capacity = grid->capacity == 0 ? 64 : 2 * grid->capacity;
    char **cells = reallocarray(grid->cells, capacity, sizeof *cells);
    if (cells == NULL)
        return false;
    grid->cells = cells;
    grid->capacity = capacity;
    return true;
}

void grid_add(struct grid *grid, const char *text)
{
    struct text cell = {0};
    if (grid == NULL || grid->failed)
        return;
    output_add_clean(&cell, text);
    char *copy = cell.failed ? NULL : strdup(text_string(&cell));
    text_clear(&cell);
    if (copy == NULL || !reserve(grid)) {
        free(copy);
        grid->failed = true;
        return;
    }
    grid->cells[grid->count++] = copy;
}

void grid_add_number(struct grid *grid, long long number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", number);
    grid_add(grid, text);
}

void grid_add_instant(struct grid *grid, const char *instant)
{
    char local[INSTANT_SIZE];
    instant_local(instant, clock_wall_ms(), local);
    grid_add(grid, local);
}

/* ---- how wide ---- */

static void measure(const struct grid *grid, size_t widths[GRID_COLUMNS_MAX])
{
    assert(grid->column_count > 0);
    for (size_t i = 0; i < grid->column_count; i++)
        widths[i] = strlen(grid->columns[i].head);
    for (size_t i = 0; i < grid->count; i++) {
        size_t length = strlen(grid->cells[i]);
        if (length > widths[i % grid->column_count])
            widths[i % grid->column_count] = length;
    }
}

static size_t sum(const struct grid *grid, const size_t widths[GRID_COLUMNS_MAX])
{
    size_t all = grid->column_count - 1;
    for (size_t i = 0; i < grid->column_count; i++)
        all += widths[i];
    return all;
}

/* The widest column of a kind that is wider than least and its head, or SIZE_MAX. */
static size_t find_widest(const struct grid *grid, const size_t widths[GRID_COLUMNS_MAX],
                          enum grid_kind kind, size_t least)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < grid->column_count; i++) {
        size_t head = strlen(grid->columns[i].head);
        if (grid->columns[i].kind == kind && widths[i] > least && widths[i] > head &&
            (found == SIZE_MAX || widths[i] > widths[found]))
            found = i;
    }
    return found;
}

/* Who gives way first, and down to what. */
static void shrink(const struct grid *grid, size_t room, size_t widths[GRID_COLUMNS_MAX])
{
    static const struct {
        enum grid_kind kind;
        size_t least;
    } turns[] = {{GRID_TEXT, 24}, {GRID_KEY, 40}, {GRID_TEXT, 10}, {GRID_KEY, 10}};
    for (size_t turn = 0; turn < sizeof turns / sizeof turns[0]; turn++) {
        size_t widest = 0;
        while (widest != SIZE_MAX && sum(grid, widths) > room) {
            widest = find_widest(grid, widths, turns[turn].kind, turns[turn].least);
            if (widest != SIZE_MAX)
                widths[widest]--;
        }
    }
}

/* ---- what it looks like ---- */

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

/* at: how many characters stand before it. */
static void print_cell(const struct grid *grid, size_t i, const char *cell, size_t width,
                       size_t at)
{
    bool last = i + 1 == grid->column_count;
    bool whole = grid->columns[i].kind == GRID_KEY && strlen(cell) > width;
    size_t shown = strlen(cell) < width ? strlen(cell) : width;
    if (i > 0 && !(whole && last))
        (void)fputc(' ', stdout);
    if (grid->columns[i].kind == GRID_NUMBER) {
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

static void print_row(const struct grid *grid, const char *const *cells,
                      const size_t widths[GRID_COLUMNS_MAX], size_t indent)
{
    size_t at = indent;
    (void)printf("%*s", (int)indent, "");
    for (size_t i = 0; i < grid->column_count; i++) {
        print_cell(grid, i, cells[i], widths[i], at);
        at += widths[i] + 1;
    }
}

static void print_all(const struct grid *grid, size_t indent)
{
    size_t widths[GRID_COLUMNS_MAX];
    const char *heads[GRID_COLUMNS_MAX];
    measure(grid, widths);
    shrink(grid, GRID_WIDTH - indent, widths);
    for (size_t i = 0; i < grid->column_count; i++)
        heads[i] = grid->columns[i].head;
    print_row(grid, heads, widths, indent);
    for (size_t i = 0; i + grid->column_count <= grid->count; i += grid->column_count)
        print_row(grid, (const char *const *)grid->cells + i, widths, indent);
}

void grid_free(struct grid *grid)
{
    for (size_t i = 0; grid != NULL && i < grid->count; i++)
        free(grid->cells[i]);
    if (grid != NULL)
        free(grid->cells);
    free(grid);
}

void grid_print(struct grid *grid, size_t indent)
{
    if (grid == NULL || grid->failed)
        output_complaint("out of memory");
    else
        print_all(grid, indent);
    grid_free(grid);
}
