/* Reads a node into one value that only the rules use. */
#include "conf/policy_value.h"

#include <string.h>

#include "base/text.h"
#include "conf/settings.h"
#include "conf/value.h"

void policy_value_delimiter(struct reader *reader, const struct option *option,
                            const struct node *node, void *field)
{
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    for (const char *p = text; *p != '\0'; p++) {
        if (strchr("!#$%&'*+-/=?^_`{|}~.", *p) == NULL) {
            reader_refuse(reader, option, node,
                          "'%.4s' can't be in the user part of an address", p);
            return;
        }
    }
    if (domains_set_delimiters(field, text) != STATUS_OK)
        reader->failed = true;
}

void policy_value_address(struct reader *reader, const struct option *option,
                          const struct node *node, void *field)
{
    struct element element;
    struct error error;
    struct text list = {0};
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    text_printf(&list, "list:%s", text);
    if (list.failed) {
        reader->failed = true;
        return;
    }
    const struct domains *own = &reader->settings->policy.domains;
    enum status status = element_parse(text_string(&list), own, &element, &error);
    text_clear(&list);
    reader_check(reader, option, node, status, &error);
    if (status != STATUS_OK)
        return;
    if (element.kind == ELEMENT_LIST)
        reader_keep(reader, field, element.text);
    else
        reader_refuse(reader, option, node, "must be the address of one list");
    element_clear(&element);
}

void policy_value_tristate(struct reader *reader, const struct option *option,
                           const struct node *node, void *field)
{
    if (reader_expect(reader, option, node, NODE_BOOL))
        *(enum tristate *)field = node->integer != 0 ? YES : NO;
}

void policy_value_action(struct reader *reader, const struct option *option,
                         const struct node *node, void *field)
{
    const char *words[ACTION_QUARANTINE + 2] = {NULL};
    const struct option named = {.name = option->name, .words = words};
    for (unsigned i = 0; i <= ACTION_QUARANTINE; i++)
        words[i] = action_name((enum action)i);
    value_word(reader, &named, node, field);
}

void policy_value_hours(struct reader *reader, const struct option *option,
                        const struct node *node, void *field)
{
    struct hours hours;
    struct error error;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    enum status status = hours_parse(text, &hours, &error);
    reader_check(reader, option, node, status, &error);
    if (status == STATUS_OK) {
        hours_clear(field);
        *(struct hours *)field = hours;
    }
}
