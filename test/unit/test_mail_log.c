/* Mail logs read back to messages: what each line adds, in which order they come out, and
 * what is counted as unread. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/text.h"
#include "replay/mail_log.h"
#include "run.h"

static struct text told;
static struct mail_log_statistics statistics;
static int64_t since_ms, until_ms;

static void set_up(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    (void)setenv("TZ", "UTC", 1);
    tzset();
    since_ms = until_ms = 0;
}

static void tear_down(void)
{
    text_clear(&told);
}

/* "SECOND ID CLIENT LOGIN SENDER>RECIPIENT*MAILBOXES,... END;" without what there is not;
 * the second is that of the day. */
static enum status tell(void *context, const struct mail_log_message *message)
{
    static const char *const ENDS[] = {"open",    "sent", "deferred",
                                       "bounced", "held", "rejected"};
    (void)context;
    text_printf(&told, "%d %s", (int)(message->at_ms / 1000 % 86400), message->queue_id);
    if (message->local)
        text_add_string(&told, " local");
    if (message->client != NULL)
        text_printf(&told, " %s", message->client);
    if (message->login != NULL)
        text_printf(&told, " %s", message->login);
    text_printf(&told, " %s>", message->sender);
    for (size_t i = 0; i < message->recipient_count; i++)
        text_printf(&told, "%s%s*%d", i > 0 ? "," : "", message->recipients[i].address,
                    (int)message->recipients[i].mailboxes);
    text_printf(&told, " %s%s%s;", ENDS[message->end],
                message->held && message->end != MAIL_LOG_HELD ? " held" : "",
                message->whole ? "" : " part");
    return STATUS_OK;
}

/* 2026-11-30 13:00 UTC */
static const int64_t NOW_MS = (int64_t)1796043600 * 1000;

/* What the files tell; each is removed. */
static const char *read_files(const char *const *paths, size_t count)
{
    struct error error = {0};
    struct mail_log_reading reading = {.paths = paths,
                                       .path_count = count,
                                       .now_ms = NOW_MS,
                                       .since_ms = since_ms,
                                       .until_ms = until_ms,
                                       .each = tell};
    text_reset(&told);
    ck_assert_int_eq(mail_log_read(&reading, &statistics, &error), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        (void)unlink(paths[i]);
    return text_string(&told);
}

static void write_file(const char *bytes, size_t length, char path[32])
{
    (void)snprintf(path, 32, "/tmp/mail-log-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    (void)close(fd);
}

static const char *read_log(const char *log)
{
    char path[32];
    write_file(log, strlen(log), path);
    return read_files((const char *const[]){path}, 1);
}

#define AT "Nov 30 12:00:01 relay "
#define SMTPD AT "postfix/smtpd[1]: "
#define CLEANUP AT "postfix/cleanup[2]: "
#define QMGR AT "postfix/qmgr[3]: "
#define LMTP AT "postfix/lmtp[4]: "
#define LOCAL AT "postfix/local[4]: "
#define ID "4jd3WL6l7Dz87p2"
#define ID2 "4jd3WL6qmsz87p4"
#define TAKEN(id)                                                                        \
    SMTPD id ": client=unknown[10.1.2.3]\n" CLEANUP id ": message-id=<1@x.org>\n"
#define ACTIVE(id, n) QMGR id ": from=<ann@x.org>, size=4, nrcpt=" n " (queue active)\n"
#define SENT ", relay=x[/run/sink], delay=0.1, delays=0/0/0/0, dsn=2.0.0, status=sent "
#define OK "(250 2.0.0 kept)\n"
#define REMOVED(id) QMGR id ": removed\n"

START_TEST(mail_log_reads_a_message_of_postfix)
{
    ck_assert_str_eq(
        read_log(SMTPD ID ": client=home.example[10.1.2.3], sasl_method=PLAIN"
                          ", sasl_username=ann@x.org\n" CLEANUP ID
                          ": message-id=<1@x.org>\n" ACTIVE(ID, "2") LMTP ID
                 ": to=<bob@x.org>" SENT OK LMTP ID
                 ": to=<eve@x.org>" SENT OK REMOVED(ID)),
        "43201 " ID " 10.1.2.3 ann@x.org ann@x.org>bob@x.org*1,eve@x.org*1 sent;");
    ck_assert_uint_eq(statistics.lines, 6);
    ck_assert_uint_eq(statistics.messages, 1);
    ck_assert_uint_eq(statistics.unread, 0);
    ck_assert_int_eq(statistics.first_ms, NOW_MS - 3599000);
}
END_TEST

START_TEST(mail_log_counts_members_of_a_list_for_its_address)
{
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "3") LMTP ID
                              ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID
                              ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID
                              ": to=<eve@x.org>" SENT OK REMOVED(ID)),
                     "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*2,eve@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_counts_what_local_forwards)
{
    ck_assert_str_eq(
        read_log(TAKEN(ID) ACTIVE(ID, "1") CLEANUP ID2
                 ": message-id=<1@x.org>\n" LOCAL ID ": to=<all@x.org>" SENT
                 "(delivered to command: x)\n" LOCAL ID ": to=<all@x.org>" SENT
                 "(forwarded as " ID2 ")\n" REMOVED(ID) ACTIVE(ID2, "2") LMTP ID2
                 ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID2
                 ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK REMOVED(ID2)),
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*3 sent;");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("mail_log");
    TCase *tests = tcase_create("mail_log");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, mail_log_reads_a_message_of_postfix);
    tcase_add_test(tests, mail_log_counts_members_of_a_list_for_its_address);
    tcase_add_test(tests, mail_log_counts_what_local_forwards);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return run_suite(suite());
}
