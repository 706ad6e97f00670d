/* Look-ups in a user database that answers only with room enough: getgrnam_r and the
 * others here stand before libc's. */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "run.h"

static size_t needed; /* bytes of an entry */
static int groups_of; /* how many a user is in */

int getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size,
               struct group **out)
{
    (void)buffer;
    *out = NULL;
    if (size < needed)
        return ERANGE;
    if (strcmp(name, "none") == 0)
        return 0;
    if (strcmp(name, "broken") == 0)
        return EIO;
    entry->gr_gid = 77;
    *out = entry;
    return 0;
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
               struct passwd **out)
{
    static char name[] = "ann";
    (void)buffer;
    *out = NULL;
    if (size < needed)
        return ERANGE;
    if (uid != 1000)
        return 0;
    entry->pw_name = name;
    entry->pw_gid = 1;
    *out = entry;
    return 0;
}

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
               struct passwd **out)
{
    (void)buffer;
    *out = NULL;
    if (size < needed)
        return ERANGE;
    if (strcmp(name, "ann") != 0)
        return 0;
    entry->pw_uid = 1000;
    entry->pw_gid = 1;
    *out = entry;
    return 0;
}

int getgrouplist(const char *user, gid_t primary, gid_t *groups, int *count)
{
    (void)user;
    int room = *count;
    *count = groups_of;
    for (int i = 0; i < groups_of && i < room; i++)
        groups[i] = i == 0 ? primary : (gid_t)i;
    return groups_of <= room ? groups_of : -1;
}

static void check_all(void)
{
    char name[ACCOUNT_NAME_SIZE] = "-";
    gid_t gid = 0;
    uid_t uid = 0;
    ck_assert_int_eq(account_find_uid("ann", &uid, &gid), STATUS_OK);
    ck_assert(uid == 1000 && gid == 1);
    ck_assert_int_eq(account_find_uid("none", &uid, &gid), STATUS_NOT_FOUND);
    ck_assert_int_eq(account_find_group("school", &gid), STATUS_OK);
    ck_assert_uint_eq(gid, 77);
    ck_assert_int_eq(account_find_user(1000, name, &gid), STATUS_OK);
    ck_assert_str_eq(name, "ann");
    ck_assert_uint_eq(gid, 1);
    ck_assert_int_eq(account_find_group("none", &gid), STATUS_NOT_FOUND);
    ck_assert_int_eq(account_find_user(1, name, &gid), STATUS_NOT_FOUND);
    ck_assert_int_eq(account_find_group("broken", &gid), STATUS_IO);
}

START_TEST(account_finds_small_and_large_ones)
{
    needed = 100;
    check_all();
    needed = 3 * 1024 * 1024; /* a group with every pupil of a state */
    check_all();
}
END_TEST

START_TEST(account_gives_up_somewhere)
{
    gid_t gid = 5;
    needed = (size_t)1 << 30;
    ck_assert_int_eq(account_find_group("school", &gid), STATUS_IO);
    ck_assert_uint_eq(gid, 5);
}
END_TEST

START_TEST(account_knows_members_of_many_groups)
{
    static const int counts[] = {1, 256, 257, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        groups_of = counts[i];
        gid_t *all = NULL;
        size_t count = 0;
        ck_assert_int_eq(account_groups("ann", 999999, &all, &count), STATUS_OK);
        ck_assert_uint_eq(count, (size_t)counts[i]);
        ck_assert_uint_eq(all[0], 999999);
        free(all);
        ck_assert(account_is_member("ann", 999999, 999999));
        ck_assert(!account_is_member("ann", 999999, (gid_t)groups_of));
        if (groups_of > 1)
            ck_assert(account_is_member("ann", 999999, (gid_t)groups_of - 1));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("account");
    TCase *tcase = tcase_create("account");
    tcase_add_test(tcase, account_finds_small_and_large_ones);
    tcase_add_test(tcase, account_gives_up_somewhere);
    tcase_add_test(tcase, account_knows_members_of_many_groups);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
