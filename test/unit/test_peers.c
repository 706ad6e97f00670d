/* Who else is there under our name. */
#include "daemon/peers.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/either_store.h"
#include "run.h"

enum { STEP_MS = PEERS_CLAIM_SECONDS * 1000 };

static struct engine engine;
static int64_t now_ms;

static void setup(void)
{
    either_open(false);
    engine = (struct engine){.store = store};
    now_ms = INT64_C(1795291814000);
}

static enum actions_names claim(struct peers *peers)
{
    return peers_claim(peers, &engine, now_ms);
}

static void write_claim(const char *place, long pid, int64_t at_ms)
{
    char value[120];
    const struct change change = {
        .collection = COLLECTION_META, .id = "relay:relay1", .value = value};
    (void)snprintf(value, sizeof value, "00000000000000aa %lld %s %ld", (long long)at_ms,
                   place, pid);
    ck_assert_int_eq(store_change(store, &change, 1, either_soon()), STATUS_OK);
}

static long dead_pid(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    return child;
}

START_TEST(peers_alone_owns_its_name)
{
    struct peers peers;
    struct peers other;
    peers_init(&peers, "relay1");
    peers_init(&other, "relay2");
    for (int i = 0; i < 5; i++, now_ms += STEP_MS) {
        ck_assert_int_eq(claim(&peers), ACTIONS_NAMES_OWN);
        ck_assert_int_eq(claim(&other), ACTIONS_NAMES_OWN);
    }
}
END_TEST

START_TEST(peers_of_one_name_see_each_other)
{
    struct peers first;
    struct peers second;
    peers_init(&first, "relay1");
    peers_init(&second, "relay1");
    ck_assert_int_eq(claim(&first), ACTIONS_NAMES_OWN);
    now_ms += STEP_MS / 2;
    ck_assert_int_eq(claim(&second), ACTIONS_NAMES_DOUBTED);
    now_ms += STEP_MS / 2;
    ck_assert_int_eq(claim(&first), ACTIONS_NAMES_SHARED);
    now_ms += STEP_MS / 2;
    ck_assert_int_eq(claim(&second), ACTIONS_NAMES_SHARED);
    for (int i = 0; i < 10; i++, now_ms += STEP_MS) /* the first is no more */
        ck_assert_int_eq(claim(&second), ACTIONS_NAMES_SHARED);
    now_ms += 5 * 60 * 1000;
    ck_assert_int_eq(claim(&second), ACTIONS_NAMES_OWN);
}
END_TEST

START_TEST(peers_does_not_fear_its_own_ghost)
{
    struct peers peers;
    peers_init(&peers, "relay1");
    ck_assert_str_ne(peers.pid_scope, "");
    write_claim(peers.pid_scope, dead_pid(), now_ms);
    ck_assert_int_eq(claim(&peers), ACTIONS_NAMES_OWN);
}
END_TEST

START_TEST(peers_doubts_for_a_moment_what_it_can_not_see)
{
    struct peers peers;
    peers_init(&peers, "relay1");
    write_claim("0123456789abcdef0123456789abcdef", dead_pid(), now_ms - 1000);
    ck_assert_int_eq(claim(&peers), ACTIONS_NAMES_DOUBTED);
    now_ms += 3 * STEP_MS;
    ck_assert_int_eq(claim(&peers), ACTIONS_NAMES_OWN);

    peers_init(&peers, "relay1");
    write_claim("0123456789abcdef0123456789abcdef", 1, now_ms - 4 * STEP_MS);
    ck_assert_int_eq(claim(&peers), ACTIONS_NAMES_OWN);
}
END_TEST

/* What a relay with such a rule writes for the others to compare. */
static const char *hash_of(const struct rule *rule)
{
    static char hash[DIGEST_HEX_SIZE];
    char *value = NULL;
    struct rule copy = *rule;
    const struct settings settings = {.policy = {.rules = &copy, .rule_count = 1}};
    rule_seal(&copy);
    peers_compare_rules(&engine, &settings, "relay1", now_ms);
    ck_assert_int_eq(
        store_get(store, COLLECTION_META, "rules:relay1", either_soon(), &value),
        STATUS_OK);
    (void)snprintf(hash, sizeof hash, "%.32s", value);
    free(value);
    return hash;
}

START_TEST(peers_rules_that_decide_otherwise_are_others)
{
    char first[DIGEST_HEX_SIZE];
    struct element ann = {.kind = ELEMENT_LOGIN, .text = (char[]){"ann"}};
    struct span span = {.days = 1, .to = 1440};
    struct rule rule;
    rule_init(&rule);
    rule.name = (char[]){"r"};
    rule.has_surge = true;
    rule.surge = (struct surge){2000, 500, 86400000};
    struct rule others[10];
    for (size_t i = 0; i < 10; i++)
        others[i] = rule;
    others[0].latch_ms = 1000;
    others[1].surge.factor = 3000;
    others[2].surge.floor = 501;
    others[3].from = others[4].to_not = (struct elements){.items = &ann, .count = 1};
    others[5].hours = others[6].hours_not = (struct hours){.spans = &span, .count = 1};
    others[7].origin = ORIGIN_LOCAL;
    others[8].reply = YES;
    others[9].automatic = NO;
    (void)strcpy(first, hash_of(&rule));
    ck_assert_str_eq(hash_of(&rule), first);
    for (size_t i = 0; i < 10; i++)
        ck_assert_msg(strcmp(hash_of(&others[i]), first) != 0, "other %zu", i);
    char of_from[DIGEST_HEX_SIZE];
    (void)strcpy(of_from, hash_of(&others[3]));
    ck_assert_str_ne(hash_of(&others[4]), of_from);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peers");
    TCase *cases = tcase_create("peers");
    tcase_add_checked_fixture(cases, setup, either_close);
    tcase_add_test(cases, peers_alone_owns_its_name);
    tcase_add_test(cases, peers_of_one_name_see_each_other);
    tcase_add_test(cases, peers_does_not_fear_its_own_ghost);
    tcase_add_test(cases, peers_doubts_for_a_moment_what_it_can_not_see);
    tcase_add_test(cases, peers_rules_that_decide_otherwise_are_others);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
