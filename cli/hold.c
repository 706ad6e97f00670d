/* As much as fits: `quarantine show` prints all of it. */
#include "cli/hold.h"

#include <stdio.h>
#include <string.h>

#include "cli/page.h"

const char *hold_lists(const json_t *hold, char out[HOLD_LISTS_SIZE])
{
    size_t i;
    const json_t *list;
    size_t length = 0;
    const json_t *lists = json_object_get(hold, "lists");
    out[0] = '\0';
    json_array_foreach(lists, i, list)
    {
        const char *address = json_string_value(list);
        if (address == NULL || length + strlen(address) + 3 > HOLD_LISTS_SIZE)
            break;
        (void)snprintf(out + length, HOLD_LISTS_SIZE - length, "%s%s",
                       length == 0 ? "" : ", ", address);
        length = strlen(out);
    }
    if (json_is_true(json_object_get(hold, "restored")) && length == 0)
        (void)snprintf(out, HOLD_LISTS_SIZE, "(rebuilt)");
    else if (!hold_knows_reach(hold) && length == 0)
        (void)snprintf(out, HOLD_LISTS_SIZE, "(not known)");
    else if (length == 0)
        (void)snprintf(out, HOLD_LISTS_SIZE, "%s",
                       page_number(hold, "list_count") > 0 ? "(many)" : "(none)");
    return out;
}

bool hold_knows_reach(const json_t *record)
{
    return !json_is_null(json_object_get(record, "reach"));
}

void hold_add_reach(struct text_table *table, const json_t *record)
{
    if (hold_knows_reach(record))
        text_table_add_number(table, page_number(record, "reach"));
    else
        text_table_add(table, "?");
}
