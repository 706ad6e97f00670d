/* A property is found by its kind, a header field by its name. */
#include "replay/series.h"

#include <stdlib.h>
#include <strings.h>

struct field *series_header(const struct series *series, const char *name)
{
    for (size_t i = 0; i < series->header_count; i++) {
        if (strcasecmp(series->headers[i].name, name) == 0)
            return &series->headers[i];
    }
    return NULL;
}

static void clear_field(struct field *field)
{
    for (size_t i = 0; i < field->value_count; i++)
        free(field->values[i]);
    free(field->values);
    free(field->name);
}

void series_clear(struct series *series)
{
    for (size_t i = 0; i < FIELD_KINDS; i++)
        clear_field(&series->fields[i]);
    for (size_t i = 0; i < series->header_count; i++)
        clear_field(&series->headers[i]);
    free(series->headers);
}
