/* Where the queue lies, out of the MTA's own configuration. */
#include "quarantine/room.h"
#include "run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/mailbrake-room-XXXXXX";
static struct settings settings;
static struct text found;
static struct error error;

static void setup(void)
{
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    settings = (struct settings){.mta = {.config_directory = folder}};
    settings.quarantine.min_free_bytes = INT64_MAX;
}

static void teardown(void)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%s/main.cf", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/sendmail.cf", folder);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    text_clear(&found);
}

static void put(const char *name, const char *text)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* NULL: it can't be told. */
static const struct {
    const char *text, *folder;
    int line;
    const char *words;
} postfix[] = {
    {"queue_directory = /usr\n", "/usr", 0, NULL},
    {"queue_directory=/usr", "/usr", 0, NULL},
    {"queue_directory\t=\t/usr  \n", "/usr", 0, NULL},
    {"queue_directory = /no/where\nqueue_directory = /usr\n", "/usr", 0, NULL},
    {"# queue_directory = /no/where\nqueue_directory =\n# more\n\n  /usr\n", "/usr", 0,
     NULL},
    {"queue_directory_extra = /no\nmyqueue_directory = /no\nqueue_directory = /usr\n",
     "/usr", 0, NULL},
    {"base = /usr\nqueue_directory = $base/share\n", "/usr/share", 0, NULL},
    {"queue_directory = ${base}/share\nbase = /usr\n", "/usr/share", 0, NULL},
    {"queue_directory = $(base)$rest\nbase = /usr\nrest=/${name}\nname=share",
     "/usr/share", 0, NULL},
    {"queue_directory = $config_directory\n", folder, 0, NULL},
    {"queue_directory = ${config_directory}\nconfig_directory = /usr\n", "/usr", 0, NULL},
    {"\nqueue_directory = /var/$myhostname\n", NULL, 2, "\"myhostname\""},
    {"queue_directory = ${base?/usr}\nbase = x\n", NULL, 1, "\"${base?/usr}\""},
    {"queue_directory = ${base\nbase = /usr\n", NULL, 1, "\"${base\""},
    {"queue_directory = /usr$$\n", NULL, 1, "$$"},
    {"queue_directory = /usr$\n", NULL, 1, "$"},
    {"queue_directory = $queue_directory\n", NULL, 1, "\"queue_directory\""},
    {"queue_directory = $a\na = $b$b\nb = $a$a\n", NULL, 1, "can't resolve"},
    {"queue_directory =\n", NULL, 0, "not an absolute path"},
    {"queue_directory = spool\n", NULL, 0, "not an absolute path"},
    {"queue_directory = /no/such/folder\n", NULL, 0, "No such file"},
};

START_TEST(room_reads_main_cf)
{
    put("main.cf", postfix[_i].text);
    enum status status = room_find(&settings, &found, &error);
    if (postfix[_i].folder != NULL) {
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
        ck_assert_str_eq(text_string(&found), postfix[_i].folder);
        ck_assert(!room_is_left(&settings));
        return;
    }
    ck_assert_int_ne(status, STATUS_OK);
    ck_assert_msg(strstr(error.text, postfix[_i].words) != NULL, "%s", error.text);
    ck_assert_int_eq(error.line, postfix[_i].line);
    ck_assert_uint_eq(found.length, 0);
    ck_assert(room_is_left(&settings)); /* not known is no alarm */
}
END_TEST

START_TEST(room_knows_postfix_own_default)
{
    put("main.cf", "queue_directory = /usr/$queue\nqueue = ${queue_directory\n");
    ck_assert_int_eq(room_find(&settings, &found, &error), STATUS_INVALID);
    put("main.cf", "spool = $queue_directory\n");
    if (access("/var/spool/postfix", F_OK) != 0)
        return;
    ck_assert_int_eq(room_find(&settings, &found, &error), STATUS_OK);
    ck_assert_str_eq(text_string(&found), "/var/spool/postfix");
}
END_TEST

START_TEST(room_without_main_cf_is_not_known)
{
    ck_assert_int_eq(room_find(&settings, &found, &error), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.file, "/main.cf"));
    ck_assert(room_is_left(&settings));
}
END_TEST

static const struct {
    const char *text, *folder;
    const char *words;
} sendmail[] = {
    {"O QueueDirectory=/usr\n", "/usr", NULL},
    {"O QueueDirectory = /usr\n", "/usr", NULL},
    {"#O QueueDirectory=/no\nO QueueSortOrder=/no\nO QueueDirectory=/usr\n", "/usr",
     NULL},
    {"OQ/usr\n", "/usr", NULL},
    {"O QueueDirectory=/usr/q*\n", "/usr", NULL},
    {"O QueueDirectory=/usr/share/q[0-9]/*\n", "/usr/share", NULL},
    {"O QueueDirectory=$Q/mqueue\n", NULL, "can't resolve"},
    {"O DeliveryMode=b\n", NULL, "no QueueDirectory"},
    {"O QueueDirectory=\n", NULL, "not an absolute path"},
    {"O QueueDirectory=/no/such/folder/q*\n", NULL, "No such file"},
};

START_TEST(room_reads_sendmail_cf)
{
    settings.mta.type = MTA_SENDMAIL;
    put("sendmail.cf", sendmail[_i].text);
    enum status status = room_find(&settings, &found, &error);
    if (sendmail[_i].folder != NULL) {
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
        ck_assert_str_eq(text_string(&found), sendmail[_i].folder);
        return;
    }
    ck_assert_int_ne(status, STATUS_OK);
    ck_assert_msg(strstr(error.text, sendmail[_i].words) != NULL, "%s", error.text);
}
END_TEST

START_TEST(room_minds_min_free)
{
    put("main.cf", "queue_directory = /usr\n");
    settings.quarantine.min_free_bytes = 1;
    ck_assert(room_is_left(&settings));
    settings.quarantine.min_free_bytes = INT64_MAX;
    ck_assert(!room_is_left(&settings));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("room");
    TCase *cases = tcase_create("room");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, room_reads_main_cf, 0,
                        (int)(sizeof postfix / sizeof postfix[0]));
    tcase_add_test(cases, room_knows_postfix_own_default);
    tcase_add_test(cases, room_without_main_cf_is_not_known);
    tcase_add_loop_test(cases, room_reads_sendmail_cf, 0,
                        (int)(sizeof sendmail / sizeof sendmail[0]));
    tcase_add_test(cases, room_minds_min_free);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
