/* Mail logs as text, and what they tell as text. */
#ifndef TEST_MAIL_LOG_FIXTURE_H
#define TEST_MAIL_LOG_FIXTURE_H

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

static inline void set_up(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    (void)setenv("TZ", "UTC", 1);
    tzset();
    since_ms = until_ms = 0;
}

static inline void tear_down(void)
{
    text_clear(&told);
}

/* "SECOND ID CLIENT LOGIN SENDER>RECIPIENT*MAILBOXES,... END;" without what there is not;
 * the second is that of the day. */
static inline enum status tell(void *context, const struct mail_log_message *message)
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
static inline const char *read_files(const char *const *paths, size_t count)
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

static inline void write_file(const char *bytes, size_t length, char path[32])
{
    (void)snprintf(path, 32, "/tmp/mail-log-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    (void)close(fd);
}

static inline const char *read_log(const char *log)
{
    char path[32];
    write_file(log, strlen(log), path);
    return read_files((const char *const[]){path}, 1);
}

/* The line that each suite about it ends with. */
static inline Suite *mail_log_suite(const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    for (; *tests != NULL; tests++)
        tcase_add_test(cases, *tests);
    suite_add_tcase(suite, cases);
    return suite;
}

#endif
