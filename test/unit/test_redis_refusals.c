/* A Redis that answers, but not with what was asked for: an ACL, no memory, a script that
 * others run, a reply that comes late. What it refuses is told by name, and a message is
 * charged whole or not at all. */
#include "../support/delay_proxy.h"
#include "redis_fixture.h"
#include "run.h"
#include "store/collection.h"
#include "store/connection.h"
#include "store/trial.h"

#define COMMANDS                                                                         \
    "+evalsha +eval +get +set +del +time +hget +hset +hdel +hlen +hscan +zadd +zrem "    \
    "+zrangebylex +zlexcount +config|get "

/* ---- the user's rights ---- */

static struct connection *log_in(void)
{
    const struct connection_address address = {
        .path = server.socket, .username = "brake", .password = "secret"};
    struct connection *connection = NULL;
    ck_assert_int_eq(connection_open(&address, soon(), &connection, NULL), STATUS_OK);
    return connection;
}

/* The user with these commands and keys. */
static struct trial try_as(const char *rights)
{
    char command[2048];
    struct trial trial = {0};
    (void)snprintf(command, sizeof command, "ACL SETUSER brake reset on >secret %s",
                   rights);
    server_do(&server, command);
    struct connection *connection = log_in();
    ck_assert(trial_run(connection, "mb-test", true, soon(), &trial));
    connection_free(connection);
    return trial;
}

/* The keys that there are, but for the one that is left out (-1: none). */
static const char *keys_without(int left_out, char *out, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < COLLECTIONS; i++) {
        const char *name = collection_name((enum collection)i);
        if (i != left_out)
            used += (size_t)snprintf(out + used, size - used, "~{mb-test}:%s ", name);
        if (i != left_out && collection_is_indexed((enum collection)i))
            used +=
                (size_t)snprintf(out + used, size - used, "~{mb-test}:%s:index ", name);
    }
    return out;
}

START_TEST(refusals_each_key_is_named)
{
    char keys[1400], rights[1900], wanted[200];
    (void)snprintf(rights, sizeof rights, COMMANDS "+asking ~{mb-test}:b:* %s",
                   keys_without(-1, keys, sizeof keys));
    struct trial trial = try_as(rights);
    ck_assert_str_eq(trial.keys, "");
    ck_assert_str_eq(trial.commands, "");
    for (int i = 0; i < COLLECTIONS; i++) {
        const char *name = collection_name((enum collection)i);
        (void)snprintf(rights, sizeof rights, COMMANDS "+asking ~{mb-test}:b:* %s",
                       keys_without(i, keys, sizeof keys));
        trial = try_as(rights);
        (void)snprintf(wanted, sizeof wanted, "may not use {mb-test}:%s", name);
        ck_assert_msg(strstr(trial.keys, wanted) != NULL, "%s: %s", name, trial.keys);
        (void)snprintf(wanted, sizeof wanted, ", {mb-test}:%s:index: see", name);
        ck_assert_msg((strstr(trial.keys, wanted) != NULL) ==
                          collection_is_indexed((enum collection)i),
                      "%s: %s", name, trial.keys);
        ck_assert_str_eq(trial.commands, "");
    }
}
END_TEST

/* A right to read is none to write; many keys are not all named. */
START_TEST(refusals_reading_alone_is_not_enough)
{
    struct trial trial = try_as(COMMANDS "+asking ~{mb-test}:b:* %R~{mb-test}:*");
    ck_assert_msg(strstr(trial.keys, "{mb-test}:holds-by-id, ") != NULL, "%s",
                  trial.keys);
    ck_assert_msg(strstr(trial.keys, " more: see") != NULL, "%s", trial.keys);
    ck_assert_str_eq(trial.commands, "");
    trial = try_as(COMMANDS "~{mb-test}:[ahmsptcwio]*");
    ck_assert_msg(strstr(trial.keys, "{mb-test}:b:trial") != NULL, "%s", trial.keys);
    trial = try_as(COMMANDS "~{mb-test}:* -hset");
    ck_assert_str_eq(trial.keys, "");
    ck_assert_msg(strstr(trial.commands, " HSET, ASKING on ") != NULL, "%s",
                  trial.commands);
}
END_TEST

/* ---- whole or not at all ---- */

/* An ACL that changes while charges travel. Of nine buckets the last has a stamp of
 * tomorrow, is full, and is put right by deleting it. */
START_TEST(refusals_delete_is_refused_midway)
{
    enum { BUCKETS = 9 };
    char subject[BUCKETS][8], path[128], bucket[128];
    static char user[] = "brake";
    struct charge charges[BUCKETS];
    struct charge_outcome outcomes[BUCKETS];
    server_do(&server, "ACL SETUSER brake on >secret ~{mb-test}:* " COMMANDS);
    close_redis();
    (void)snprintf(path, sizeof path, "%s/password", server.folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs("secret\n", file);
    (void)fclose(file);
    settings.username = user;
    settings.password_file = path;
    open_redis();
    ck_assert(await_away(false, 5000));
    for (int i = 0; i < BUCKETS; i++) {
        (void)snprintf(subject[i], sizeof subject[i], "s%d", i);
        charges[i] = make_charge(subject[i], i + 1 < BUCKETS ? 1 : 0);
    }
    key_of(subject[BUCKETS - 1], bucket, sizeof bucket);
    redisContext *context = server_try_connect(&server);
    freeReplyObject(redisCommand(context, "SET %s %s", bucket, "1000 0 9000000000000"));
    redisFree(context);
    server_do(&server, "ACL SETUSER brake -del");
    enum status status =
        redis_charge(redis, charges, BUCKETS, CHARGE_TAKE, NULL, soon(), outcomes);
    server_do(&server, "ACL SETUSER brake +del");
    ck_assert(await_away(false, 5000));
    for (int i = 0; i + 1 < BUCKETS; i++)
        ck_assert_int_eq(left_in(subject[i]), status == STATUS_OK ? 999 : 1000);
    ck_assert_int_eq(left_in(subject[BUCKETS - 1]), 1000);
    close_redis();
    (void)unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_refusals");
    TCase *tcase = tcase_create("redis_refusals");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, refusals_each_key_is_named);
    tcase_add_test(tcase, refusals_reading_alone_is_not_enough);
    tcase_add_test(tcase, refusals_delete_is_refused_midway);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
