/* As whom the page's service may ask, where the system knows a user by several names. */
#include "control/peer.h"

#include <check.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

#include "run.h"

enum { DAEMON_UID = 1, SERVICE_UID = 4242 };

/* In place of libc's: a directory that minds no case, as sssd may be told to. */
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
               struct passwd **out)
{
    bool known = strcasecmp(name, "daemon") == 0 || strcmp(name, "daemon@example") == 0;
    (void)buffer;
    (void)size;
    *entry = (struct passwd){.pw_uid = DAEMON_UID, .pw_gid = 1};
    *out = known ? entry : NULL;
    return 0;
}

/* Two administrators are two names in approve_over. */
START_TEST(peer_of_several_names_is_one_person)
{
    static const char *const names[] = {"daemon", "Daemon", "DAEMON", "daemon@example"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct peer peer = {.uid = SERVICE_UID, .gid = SERVICE_UID};
        ck_assert(peer_stand_for(&peer, names[i]));
        ck_assert_uint_eq(peer.uid, DAEMON_UID);
        ck_assert_str_eq(peer.name, "daemon");
    }
}
END_TEST

START_TEST(peer_that_nobody_knows_is_nobody)
{
    static const char *const names[] = {"", "eve", NULL};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct peer peer = {.uid = SERVICE_UID, .gid = SERVICE_UID};
        ck_assert(!peer_stand_for(&peer, names[i]));
        ck_assert_uint_eq(peer.uid, PEER_NOBODY);
        ck_assert_str_eq(peer.name, names[i] == NULL ? "" : names[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer");
    TCase *cases = tcase_create("peer");
    tcase_add_test(cases, peer_of_several_names_is_one_person);
    tcase_add_test(cases, peer_that_nobody_knows_is_nobody);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
