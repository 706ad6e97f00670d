/* Lists and members are templates, filled in when needed: nothing is stored. */
#include "replay/scenario_lists.h"

#include <string.h>

#include "replay/template.h"

enum status scenario_lists_member(const struct scenario_lists_item *item, int64_t n,
                                  struct text *out, struct error *error)
{
    const struct formula_scope scope = {.n = n, .run = 1, .k = item->k};
    const struct address *address = &item->address;
    const char *member = item->list->member;
    enum status status = STATUS_OK;
    text_reset(out);
    if (member != NULL)
        status = template_fill(member, strlen(member), &scope, out, error);
    else
        text_printf(out, "%.*s-%lld%s", (int)address->at, address->text, (long long)n,
                    address->text + address->at);
    return status == STATUS_OK && out->failed ? STATUS_NOMEM : status;
}

static enum status name_list(const char *template, const struct formula_scope *scope,
                             struct address *out, struct error *error)
{
    struct text text = {0};
    enum status status = template_fill(template, strlen(template), scope, &text, error);
    if (status == STATUS_OK && text.failed)
        status = STATUS_NOMEM;
    if (status == STATUS_OK &&
        (address_parse(text_string(&text), text.length, out) != STATUS_OK ||
         out->length == 0 || out->at == out->length))
        status = error_set(error, STATUS_INVALID, "'%.200s' is not a list's address",
                           text_string(&text));
    text_clear(&text);
    return status;
}

enum status scenario_lists_each(
    const struct scenario *scenario,
    enum status (*each)(void *context, const struct scenario_lists_item *item,
                        struct error *error),
    void *context, struct problems *problems)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < scenario->list_count && status == STATUS_OK; i++) {
        struct scenario_lists_item item = {.list = &scenario->lists[i]};
        struct formula_scope scope = {.n = 1, .run = 1};
        const char *address = item.list->address;
        struct error error = {0};
        int64_t first = 0;
        int64_t count = 0;
        status = template_range(address, strlen(address), &scope, SCENARIO_LISTS_MAX,
                                &first, &count, &error);
        for (int64_t n = 0; status == STATUS_OK && n < count; n++) {
            item.k = scope.k = first + n;
            status = name_list(address, &scope, &item.address, &error);
            if (status == STATUS_OK)
                status = each(context, &item, &error);
        }
        if (status == STATUS_INVALID)
            problems_error(problems, scenario->file, item.list->line, "%s", error.text);
    }
    return status;
}
