/* Linking: groups become their elements, and nothing stands where it makes no sense. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "run.h"

static struct policy policy;
static struct problems problems;
static int next_line;

static void set_up(void)
{
    policy = (struct policy){0};
    problems = (struct problems){0};
    next_line = 1;
    ck_assert_int_eq(domains_add(&policy.domains, "district.example", NULL), STATUS_OK);
}

static void tear_down(void)
{
    policy_clear(&policy);
    problems_clear(&problems);
}

/* Elements separated by blanks, each on a line of its own. */
static void add(struct elements *elements, const char *strings)
{
    char *copy = strdup(strings);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        struct element element;
        ck_assert_int_eq(element_parse(word, &policy.domains, &element, NULL), STATUS_OK);
        element.line = next_line++;
        ck_assert_int_eq(elements_add(elements, &element), STATUS_OK);
    }
    free(copy);
}

static void add_group(const char *name, const char *strings)
{
    policy.groups =
        realloc(policy.groups, (policy.group_count + 1) * sizeof *policy.groups);
    policy.groups[policy.group_count] =
        (struct element_group){.name = strdup(name), .line = next_line++};
    add(&policy.groups[policy.group_count++].elements, strings);
}

static struct rule *add_rule(const char *name)
{
    policy.rules = realloc(policy.rules, (policy.rule_count + 1) * sizeof *policy.rules);
    struct rule *rule = &policy.rules[policy.rule_count++];
    rule_init(rule);
    rule->name = strdup(name);
    return rule;
}

/* All elements in order, blanks between. */
static const char *shown(const struct elements *elements)
{
    static char out[1000];
    out[0] = '\0';
    for (size_t i = 0; i < elements->count; i++) {
        char one[200];
        element_format(&elements->items[i], one, sizeof one);
        ck_assert_int_ne(elements->items[i].kind, ELEMENT_GROUP);
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i == 0 ? "" : " ",
                 one);
    }
    return out;
}

static void link_policy(void)
{
    ck_assert_int_eq(policy_link(&policy, "m.conf", &problems), STATUS_OK);
}

/* The only problem, as a line. */
static void expect(const char *line)
{
    char out[500];
    link_policy();
    ck_assert_uint_eq(problems.errors, 1);
    problem_format(&problems.items[0], out, sizeof out);
    ck_assert_str_eq(out, line);
}

START_TEST(policy_groups_become_elements)
{
    add_group("press", "login:press-* office");
    add_group("office", "login:office-* list:staff");
    struct rule *rule = add_rule("a");
    add(&rule->from, "<> press @other.example");
    add(&rule->from_not, "office");
    add(&rule->to, "list:* ann@district.example");
    link_policy();
    ck_assert_uint_eq(problems.errors, 0);
    rule = &policy.rules[0];
    ck_assert_str_eq(shown(&rule->from), "<> login:press-* login:office-* "
                                         "list:staff@district.example @other.example");
    ck_assert_str_eq(shown(&rule->from_not),
                     "login:office-* list:staff@district.example");
    ck_assert_str_eq(shown(&rule->to), "list:* ann@district.example");
    ck_assert_int_eq(rule->from.items[1].line, 2); /* where it is written */
}
END_TEST

/* As one reads them: a rule's key may be the first that matches. */
START_TEST(policy_groups_unfold_where_they_stand)
{
    add_group("a", "login:1 b login:4");
    add_group("b", "login:2 c login:3");
    add_group("c", "login:c");
    struct rule *rule = add_rule("r");
    add(&rule->from, "login:0 a login:5");
    link_policy();
    ck_assert_str_eq(shown(&policy.rules[0].from),
                     "login:0 login:1 login:2 login:c login:3 login:4 login:5");
}
END_TEST

START_TEST(policy_equal_senders_are_one_set)
{
    add_group("press", "login:press login:editor");
    add_group("outer", "press");
    struct rule *rule;
    for (int i = 0; i < 3; i++)
        (void)add_rule("r");
    rule = policy.rules;
    add(&rule[0].from, "press");
    add(&rule[0].from_not, "login:editor login:press");
    add(&rule[1].from, "login:editor@district.example");
    add(&rule[1].from_not, "outer");
    add(&rule[2].from, "login:press login:editor");
    add(&rule[2].to, "login@district.example");
    link_policy();
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(policy.sender_sets, 3);
    ck_assert_uint_gt(rule[0].from.sender_set, 0);
    ck_assert_uint_eq(rule[1].from_not.sender_set, rule[0].from.sender_set);
    ck_assert_uint_eq(rule[2].from.sender_set, rule[0].from.sender_set);
    ck_assert_uint_ne(rule[0].from_not.sender_set, rule[0].from.sender_set);
    ck_assert_uint_ne(rule[1].from.sender_set, rule[0].from.sender_set);
    ck_assert_uint_ne(rule[1].from.sender_set, rule[0].from_not.sender_set);
    ck_assert_uint_eq(rule[2].from_not.sender_set + rule[2].to.sender_set, 0);
}
END_TEST

/* The same text as another kind is another sender. */
START_TEST(policy_kinds_are_told_apart)
{
    struct rule *address = add_rule("a");
    add(&address->from, "p@district.example");
    add(&address->from_not, "list:p@district.example");
    link_policy();
    ck_assert_uint_eq(policy.sender_sets, 2);
}
END_TEST

START_TEST(policy_cycle_is_harmless)
{
    add_group("a", "login:a b a");
    add_group("b", "login:b c");
    add_group("c", "login:c a b");
    struct rule *rule = add_rule("r");
    add(&rule->from, "c a b");
    link_policy();
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_str_eq(shown(&policy.rules[0].from), "login:c login:a login:b");
}
END_TEST

START_TEST(policy_unknown_group_in_rule)
{
    add(&add_rule("r")->from, "login:a nobody");
    expect("m.conf:2: rule \"r\": from: there is no group \"nobody\"");
    ck_assert_str_eq(shown(&policy.rules[0].from), "login:a");
}
END_TEST

/* Told once, though two rules use it. */
START_TEST(policy_unknown_group_in_group)
{
    add_group("a", "login:a nobody");
    add(&add_rule("r")->from, "a");
    add(&add_rule("s")->from, "a");
    expect("m.conf:3: groups.a: there is no group \"nobody\"");
}
END_TEST

START_TEST(policy_unknown_group_unused)
{
    add_group("a", "nobody");
    expect("m.conf:2: groups.a: there is no group \"nobody\"");
}
END_TEST

static const struct {
    const char *element, *shown;
} senders[] = {
    {"login:a", "login:a"},
    {"client:10.0.0.0/8", "client:10.0.0.0/8"},
    {"client:local", "client:local"},
    {"<>", "<>"},
};

START_TEST(policy_sender_is_no_recipient)
{
    char line[300];
    add(&add_rule("r")->to, senders[_i].element);
    snprintf(line, sizeof line,
             "m.conf:1: rule \"r\": to: \"%s\": it matches senders, never recipients",
             senders[_i].shown);
    expect(line);
}
END_TEST

START_TEST(policy_sender_in_group_is_no_recipient)
{
    add_group("hubs", "client:10.0.0.25 client:10.0.0.26");
    add_group("all", "hubs");
    add(&add_rule("r")->to_not, "list:* all");
    expect("m.conf:7: rule \"r\": to_not: group \"all\" holds \"client:10.0.0.25\": "
           "it matches senders, never recipients");
}
END_TEST

START_TEST(policy_each_place_is_told)
{
    add_group("hubs", "client:10.0.0.25");
    add(&add_rule("r")->to, "hubs");
    add(&add_rule("s")->to, "hubs");
    link_policy();
    ck_assert_uint_eq(problems.errors, 2);
    ck_assert_int_eq(problems.items[0].line, 3);
    ck_assert_int_eq(problems.items[1].line, 4);
}
END_TEST

START_TEST(policy_any_list_is_no_sender)
{
    add(&add_rule("r")->from, "list:*");
    expect("m.conf:1: rule \"r\": from: \"list:*\": name one list, like "
           "\"list:all@example.org\"");
}
END_TEST

START_TEST(policy_any_list_in_group_is_no_sender)
{
    add_group("lists", "list:*");
    add(&add_rule("r")->from_not, "lists");
    expect("m.conf:3: rule \"r\": from_not: group \"lists\" holds \"list:*\": name one "
           "list, like \"list:all@example.org\"");
}
END_TEST

static const char *const no_clients[] = {"login:a", "<>",     "a@b.example", "@b.example",
                                         "list:a",  "list:*", "hubs"};

START_TEST(policy_trusts_clients_only)
{
    add_group("hubs", "client:10.0.0.25");
    add(&policy.trusted, no_clients[_i]);
    add(&policy.relays, "client:10.0.0.1 client:local");
    link_policy();
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_int_eq(problems.items[0].line, 3);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "trusted: \""));
    ck_assert_str_eq(shown(&policy.relays), "client:10.0.0.1 client:local");
}
END_TEST

START_TEST(policy_relays_are_clients_only)
{
    add(&policy.relays, "login:a");
    expect("m.conf:1: relays: \"login:a\": only client: elements are allowed here");
}
END_TEST

/* An empty from would hold for everybody. */
START_TEST(policy_empty_group_is_nobody)
{
    add_group("empty", "");
    add(&add_rule("r")->from, "empty");
    expect("m.conf:2: rule \"r\": from: the group \"empty\" is empty");
}
END_TEST

START_TEST(policy_empty_group_excludes_nobody)
{
    add_group("empty", "");
    struct rule *rule = add_rule("r");
    add(&rule->from_not, "empty");
    add(&rule->to_not, "empty");
    link_policy();
    ck_assert_uint_eq(problems.errors, 0);
}
END_TEST

START_TEST(policy_names_the_included_file)
{
    add_group("a", "nobody");
    policy.groups[0].elements.items[0].file = "more.conf";
    expect("more.conf:2: groups.a: there is no group \"nobody\"");
}
END_TEST

START_TEST(policy_expansion_is_bounded)
{
    enum { ELEMENTS = 2000, RULES = 600 };
    add_group("crowd", "");
    for (int i = 0; i < ELEMENTS; i++)
        add(&policy.groups[0].elements, "login:a");
    for (int i = 0; i < RULES; i++)
        add(&add_rule("r")->from, "crowd");
    link_policy();
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "1000000"));
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, policy_groups_become_elements);
    tcase_add_test(tests, policy_groups_unfold_where_they_stand);
    tcase_add_test(tests, policy_equal_senders_are_one_set);
    tcase_add_test(tests, policy_kinds_are_told_apart);
    tcase_add_test(tests, policy_cycle_is_harmless);
    tcase_add_test(tests, policy_unknown_group_in_rule);
    tcase_add_test(tests, policy_unknown_group_in_group);
    tcase_add_test(tests, policy_unknown_group_unused);
    tcase_add_loop_test(tests, policy_sender_is_no_recipient, 0, COUNT(senders));
    tcase_add_test(tests, policy_sender_in_group_is_no_recipient);
    tcase_add_test(tests, policy_each_place_is_told);
    tcase_add_test(tests, policy_any_list_is_no_sender);
    tcase_add_test(tests, policy_any_list_in_group_is_no_sender);
    tcase_add_loop_test(tests, policy_trusts_clients_only, 0, COUNT(no_clients));
    tcase_add_test(tests, policy_relays_are_clients_only);
    tcase_add_test(tests, policy_empty_group_is_nobody);
    tcase_add_test(tests, policy_empty_group_excludes_nobody);
    tcase_add_test(tests, policy_names_the_included_file);
    tcase_add_test(tests, policy_expansion_is_bounded);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
