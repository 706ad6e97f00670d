/* A rule is written so that it reads back to the same, but for what was changed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/load.h"
#include "conf/rule_text.h"
#include "run.h"

static const char *const path = "rule_text.conf";

static void load(const char *text, struct tree *out)
{
    struct problems problems = {0};
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(load_tree(path, out, &problems), STATUS_OK);
    ck_assert_uint_eq(problems.count, 0);
    (void)unlink(path);
}

static const struct node *first_rule(const struct tree *tree)
{
    return tree_child(tree, tree_find(tree, tree_root(tree), "rules"), 0);
}

static void write_rule(const struct tree *tree, const struct rule_change *changes,
                       size_t count, struct text *out)
{
    text_add_string(out, "rules = (\n");
    rule_text_add(out, tree, first_rule(tree), changes, count);
    text_add_string(out, " );\n");
    ck_assert(!out->failed);
}

START_TEST(rule_text_changes_what_it_is_told)
{
    static const struct rule_change changes[] = {
        {"mode", "monitor", 0}, {"limit", "7 messages per 1h", 0}, {"burst", NULL, -1}};
    struct tree tree = {0};
    struct text text = {0};
    load("rules = ( { name = \"n\"; # why\n from = [ \"a\", \"b\" ]; reply = true;\n"
         "limit = \"1 messages per 1h\"; burst = 9; action = \"defer\"; } );",
         &tree);
    write_rule(&tree, changes, 3, &text);
    ck_assert_str_eq(text_string(&text),
                     "rules = (\n"
                     "  { name = \"n\"; from = [ \"a\", \"b\" ]; reply = true;"
                     " limit = \"7 messages per 1h\";\n"
                     "    action = \"defer\"; mode = \"monitor\"; } );\n");
    text_clear(&text);
    tree_clear(&tree);
}
END_TEST

START_TEST(rule_text_reads_back)
{
    struct tree tree = {0};
    struct tree again = {0};
    struct text text = {0};
    load("rules = ( { name = \"q\\\"u\\\\o\\n\\x07te\"; surge = 2.0; max = 1.5e10;\n"
         "to = [ ]; n = -3; large = 3000000000L; on = false; } );",
         &tree);
    write_rule(&tree, NULL, 0, &text);
    load(text_string(&text), &again);
    const struct node *rule = first_rule(&tree);
    const struct node *copy = first_rule(&again);
    ck_assert_uint_eq(copy->child_count, rule->child_count);
    for (size_t i = 0; i < rule->child_count; i++) {
        const struct node *left = tree_child(&tree, rule, i);
        const struct node *right = tree_child(&again, copy, i);
        ck_assert_str_eq(left->name, right->name);
        ck_assert_int_eq(left->kind, right->kind);
        ck_assert_int_eq(left->integer, right->integer);
        ck_assert_pstr_eq(left->string, right->string);
        ck_assert(left->fraction >= right->fraction && left->fraction <= right->fraction);
    }
    text_clear(&text);
    tree_clear(&tree);
    tree_clear(&again);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_text");
    TCase *cases = tcase_create("rule_text");
    tcase_add_test(cases, rule_text_changes_what_it_is_told);
    tcase_add_test(cases, rule_text_reads_back);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
