/* Reads a node into one value that only the rules use. */
#include "conf/policy_value.h"

#include <string.h>

#include "base/text.h"
#include "conf/settings.h"
#include "conf/value.h"
#include "policy/mailbox.h"

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

/* An answer's token becomes its tag, so the address must be one whose tags we look at. */
void policy_value_mailbox(struct reader *reader, const struct option *option,
                          const struct node *node, void *field)
{
    struct address address, tagless;
    struct error error;
    const struct domains *own = &reader->settings->policy.domains;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    if (text[0] == '\0') {
        reader_keep(reader, field, text);
        return;
    }
    enum status status = mailbox_parse(text, domains_first(own), &address, &error);
    reader_check(reader, option, node, status, &error);
    if (status != STATUS_OK)
        return;
    tagless = address;
    if (!domains_have_address(own, &address))
        reader_refuse(reader, option, node, "%.200s is in none of domains", address.text);
    else if (own->delimiters == NULL || own->delimiters[0] == '\0')
        reader_refuse(reader, option, node,
                      "recipient_delimiter is empty, so no answer can carry its token");
    else if (address_remove_tag(&tagless, own->delimiters))
        reader_refuse(reader, option, node,
                      "%.200s has a tag already (recipient_delimiter)", address.text);
    else if (address.at > CONFIRM_LOCAL_MAX)
        reader_refuse(reader, option, node,
                      "the part before the @ has more than %d characters, so that there "
                      "is no room for a token",
                      CONFIRM_LOCAL_MAX);
    else
        reader_keep(reader, field, address.text);
}

static void read_action(struct reader *reader, const struct option *option,
                        const struct node *node, enum action last, void *field)
{
    const char *words[ACTION_CONFIRM + 2] = {NULL};
    const struct option named = {.name = option->name, .words = words};
    for (unsigned i = 0; i <= (unsigned)last; i++)
        words[i] = action_name((enum action)i);
    value_word(reader, &named, node, field);
}

void policy_value_action(struct reader *reader, const struct option *option,
                         const struct node *node, void *field)
{
    read_action(reader, option, node, ACTION_QUARANTINE, field);
}

void policy_value_rule_action(struct reader *reader, const struct option *option,
                              const struct node *node, void *field)
{
    read_action(reader, option, node, ACTION_CONFIRM, field);
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
