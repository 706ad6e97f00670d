/* Written so that libconfig reads back the same tree. */
#include "conf/rule_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 90 };

/* The escapes that libconfig's manual names; the others as \xHH. */
static void add_string(struct text *out, const char *string)
{
    text_add_byte(out, '"');
    for (const char *c = string; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            text_add_byte(out, '\\');
        if ((unsigned char)*c < ' ')
            text_printf(out, "\\x%02x", (unsigned)(unsigned char)*c);
        else
            text_add_byte(out, *c);
    }
    text_add_byte(out, '"');
}

/* libconfig reads 2 as an integer, so a fraction keeps its point. */
static void add_fraction(struct text *out, double fraction)
{
    char number[40];
    (void)snprintf(number, sizeof number, "%.6g", fraction);
    text_add_string(out, number);
    if (strpbrk(number, ".e") == NULL)
        text_add_string(out, ".0");
}

static void add_number(struct text *out, int64_t number)
{
    text_add_number(out, number);
    if (number > INT32_MAX || number < INT32_MIN)
        text_add_byte(out, 'L');
}

static void add_scalar(struct text *out, const struct node *node)
{
    if (node->kind == NODE_STRING)
        add_string(out, node->string);
    else if (node->kind == NODE_FLOAT)
        add_fraction(out, node->fraction);
    else if (node->kind == NODE_BOOL)
        text_add_string(out, node->integer != 0 ? "true" : "false");
    else
        add_number(out, node->integer);
}

static void add_value(struct text *out, const struct tree *tree, const struct node *node)
{
    if (node->kind != NODE_ARRAY && node->kind != NODE_LIST) {
        add_scalar(out, node);
        return;
    }
    text_add_string(out, node->kind == NODE_ARRAY ? "[ " : "( ");
    for (size_t i = 0; i < node->child_count; i++) {
        text_add_string(out, i > 0 ? ", " : "");
        add_scalar(out, tree_child(tree, node, i));
    }
    text_add_string(out, node->kind == NODE_ARRAY ? " ]" : " )");
}

static const struct rule_change *find(const struct rule_change *changes, size_t count,
                                      const char *option)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(changes[i].option, option) == 0)
            return &changes[i];
    }
    return NULL;
}

/* Puts an option into the line at hand, or begins a new one. *column: of the line. */
static void add_option(struct text *out, const struct text *option, size_t *column)
{
    if (*column > 4 && *column + 1 + option->length > COLUMNS) {
        text_add_string(out, "\n    ");
        *column = 4;
    } else {
        text_add_byte(out, ' ');
        *column += 1;
    }
    text_add_string(out, text_string(option));
    *column += option->length;
    out->failed = out->failed || option->failed;
}

static void make_changed(struct text *out, const struct rule_change *change)
{
    text_printf(out, "%s = ", change->option);
    if (change->string != NULL)
        add_string(out, change->string);
    else
        add_number(out, change->number);
    text_add_byte(out, ';');
}

static bool is_gone(const struct rule_change *change)
{
    return change->string == NULL && change->number < 0;
}

void rule_text_add(struct text *out, const struct tree *tree, const struct node *rule,
                   const struct rule_change *changes, size_t count)
{
    struct text option = {0};
    size_t column = 3;
    text_add_string(out, "  {");
    for (size_t i = 0; i < rule->child_count; i++) {
        const struct node *node = tree_child(tree, rule, i);
        const struct rule_change *change = find(changes, count, node->name);
        text_reset(&option);
        if (change != NULL && is_gone(change))
            continue;
        if (change != NULL) {
            make_changed(&option, change);
        } else {
            text_printf(&option, "%s = ", node->name);
            add_value(&option, tree, node);
            text_add_byte(&option, ';');
        }
        add_option(out, &option, &column);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_gone(&changes[i]) || tree_find(tree, rule, changes[i].option) != NULL)
            continue;
        text_reset(&option);
        make_changed(&option, &changes[i]);
        add_option(out, &option, &column);
    }
    text_add_string(out, " }");
    text_clear(&option);
}
