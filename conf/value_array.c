/* Arrays of strings: each entry is checked by itself, so that one mistake hides none. */
#include "conf/value_array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "conf/settings.h"
#include "conf/value.h"

/* An array; a list of strings is as clear. */
static bool expect_array(struct reader *reader, const struct option *option,
                         const struct node *node)
{
    return node->kind == NODE_LIST || reader_expect(reader, option, node, NODE_ARRAY);
}

void value_array_each(struct reader *reader, const struct option *option,
                      const struct node *node, option_read *add, void *field)
{
    if (!expect_array(reader, option, node))
        return;
    for (size_t i = 0; i < node->child_count; i++)
        add(reader, option, tree_child(&reader->tree, node, i), field);
}

/* False, and reported, when the entry is not an element; else *out is to be cleared. */
static bool read_element(struct reader *reader, const struct option *option,
                         const struct node *node, struct element *out)
{
    struct error error;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return false;
    const struct domains *own = &reader->settings->policy.domains;
    enum status status = element_parse(text, own, out, &error);
    reader_check(reader, option, node, status, &error);
    return status == STATUS_OK;
}

static void add_element(struct reader *reader, const struct option *option,
                        const struct node *node, void *field)
{
    struct element element;
    if (!read_element(reader, option, node, &element))
        return;
    element.line = node->line;
    element.file = node->file;
    if (elements_add(field, &element) != STATUS_OK) {
        element_clear(&element);
        reader->failed = true;
    }
}

void value_array_elements(struct reader *reader, const struct option *option,
                          const struct node *node, void *field)
{
    value_array_each(reader, option, node, add_element, field);
}

/* An empty condition would match everybody. */
void value_array_somebody(struct reader *reader, const struct option *option,
                          const struct node *node, void *field)
{
    bool array = node->kind == NODE_ARRAY || node->kind == NODE_LIST;
    if (array && node->child_count == 0)
        reader_refuse(reader, option, node,
                      "matches nobody; leave it out to match everybody");
    else
        value_array_elements(reader, option, node, field);
}

void value_array_domain(struct reader *reader, const struct option *option,
                        const struct node *node, void *field)
{
    struct domains *domains = field;
    struct domains one = {0};
    struct error error;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    enum status status = domains_add(&one, text, &error);
    reader_check(reader, option, node, status, &error);
    if (status == STATUS_OK && domains_have(domains, domains_first(&one)))
        reader_refuse(reader, option, node, "\"%.100s\" is given twice", text);
    else if (status == STATUS_OK)
        reader_check(reader, option, node, domains_add(domains, text, &error), &error);
    domains_clear(&one);
}

void value_array_domains(struct reader *reader, const struct option *option,
                         const struct node *node, void *field)
{
    value_array_each(reader, option, node, value_array_domain, field);
}

static void add_string(struct reader *reader, const struct option *option,
                       const struct node *node, void *field)
{
    const char *text = reader_text(reader, option, node);
    if (text != NULL && strings_add(field, text) != STATUS_OK)
        reader->failed = true;
}

void value_array_strings(struct reader *reader, const struct option *option,
                         const struct node *node, void *field)
{
    if (node->kind == NODE_STRING)
        add_string(reader, option, node, field);
    else
        value_array_each(reader, option, node, add_string, field);
}

static void add_login(struct reader *reader, const struct option *option,
                      const struct node *node, void *field)
{
    struct error error = {0};
    const char *text = reader_text(reader, option, node);
    if (text != NULL)
        reader_check(
            reader, option, node,
            login_forms_add(field, text, &reader->settings->policy.domains, &error),
            &error);
}

void value_array_logins(struct reader *reader, const struct option *option,
                        const struct node *node, void *field)
{
    value_array_each(reader, option, node, add_login, field);
}

/* The array is as long as the configuration's from the start; count is what is filled. */
static void add_name(struct reader *reader, const struct option *option,
                     const struct node *node, void *field)
{
    struct names *names = field;
    value_name(reader, option, node, &names->items[names->count]);
    names->count += names->items[names->count] != NULL;
}

void value_array_names(struct reader *reader, const struct option *option,
                       const struct node *node, void *field)
{
    struct names *names = field;
    if (!expect_array(reader, option, node) || node->child_count == 0)
        return;
    if (node->child_count > ARRAY_NAMES_MAX) {
        reader_refuse(reader, option, node, "has more than %d names", ARRAY_NAMES_MAX);
        return;
    }
    names->items = calloc(node->child_count, sizeof *names->items);
    if (names->items == NULL)
        reader->failed = true;
    else
        value_array_each(reader, option, node, add_name, field);
}

void value_array_roles(struct reader *reader, const struct option *option,
                       const struct node *node, void *field)
{
    if (reader_expect(reader, option, node, NODE_GROUP))
        group_read(reader, &options_table, option->name, node, field);
}

/* notify.to is as long as the array from the start; to_count is what is filled. */
static void add_notify(struct reader *reader, const struct option *option,
                       const struct node *node, struct settings *settings)
{
    struct element element;
    if (!read_element(reader, option, node, &element))
        return;
    if (element.kind != ELEMENT_ADDRESS || strchr(element.text, '*') != NULL)
        reader_refuse(reader, option, node, "\"%.100s\" is not an address (user@domain)",
                      node->string);
    else
        reader_keep(reader, &settings->notify.to[settings->notify.to_count++],
                    element.text);
    element_clear(&element);
}

void value_array_notify(struct reader *reader, const struct option *option,
                        const struct node *node, void *field)
{
    struct settings *settings = field;
    if (!expect_array(reader, option, node) || node->child_count == 0)
        return;
    settings->notify.to = calloc(node->child_count, sizeof(char *));
    if (settings->notify.to == NULL) {
        reader->failed = true;
        return;
    }
    for (size_t i = 0; i < node->child_count; i++)
        add_notify(reader, option, tree_child(&reader->tree, node, i), settings);
}

/* A group keeps its name even if its elements are invalid, so that its users are not
 * reported, too. */
static void add_group(struct reader *reader, const struct node *node,
                      struct policy *policy)
{
    char name[128];
    struct element_group *group = &policy->groups[policy->group_count];
    (void)snprintf(name, sizeof name, "groups.%.100s", node->name);
    const struct option option = {.name = name, .min = 1};
    group->line = node->line;
    group->name = strdup(node->name);
    if (group->name == NULL) {
        reader->failed = true;
        return;
    }
    policy->group_count++;
    if (strchr(node->name, '*') != NULL)
        reader_refuse(reader, &option, node, "a group's name can't contain '*'");
    value_array_elements(reader, &option, node, &group->elements);
}

void value_array_groups(struct reader *reader, const struct option *option,
                        const struct node *node, void *field)
{
    struct policy *policy = field;
    policy->groups = reader_items(reader, option, node, NODE_GROUP, ARRAY_GROUPS_MAX,
                                  "groups", sizeof *policy->groups);
    for (size_t i = 0; policy->groups != NULL && i < node->child_count; i++)
        add_group(reader, tree_child(&reader->tree, node, i), policy);
}
