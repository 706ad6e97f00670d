/* A table for people: as wide as it must be, at most GRID_WIDTH where it can be. What
 * comes from mail is escaped. What does not fit is cut with "..", keys never: they are
 * there to be typed. */
#ifndef BASE_GRID_H
#define BASE_GRID_H

#include <stddef.h>

enum { GRID_WIDTH = 100, GRID_COLUMNS_MAX = 10 };

enum grid_kind {
    GRID_TEXT,   /* is cut */
    GRID_NUMBER, /* to the right, whole */
    GRID_KEY,    /* whole; where there is no room, the line is broken behind it, or before
                    it when it is the last */
};

struct grid_column {
    const char *head;
    enum grid_kind kind;
};

struct grid;

/* columns are borrowed. NULL without memory, which all others take for an empty one. */
struct grid *grid_new(const struct grid_column *columns, size_t count);

/* Cells, from the left to the right, row by row. */
void grid_add(struct grid *grid, const char *text);
void grid_add_number(struct grid *grid, long long number);
void grid_add_instant(struct grid *grid,
                      const char *instant); /* of the API; local time */

/* Prints head and rows, each line behind indent blanks, and frees it. */
void grid_print(struct grid *grid, size_t indent);
void grid_free(struct grid *grid);

#endif
