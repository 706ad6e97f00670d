/* The words a sender's server is told. */
#include "policy/reply.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char name[] = "r";
static char reason[201];
static struct rule rule = {.name = name};

/* What the message says must never show. */
static const struct list grown = {.was = 40, .size = 850000};
static const struct charge charge = {.subject = "sender:secret@else", .cost = 300};
static const struct surge surge = {.factor = 2000, .floor = 500, .window_ms = 1000};
static const struct charge counted = {
    .subject = "login:secret@else", .clients = true, .client = "192.0.2.77", .cost = 1};
static const struct charge surged = {
    .subject = "campaign:login:secret@else#0", .surge = &surge, .cost = 300};

#define FIRED(c, by, a, temp, l, b)                                                      \
    {                                                                                    \
        .action = (a), .temporary = (temp), .cause = (c), .rule = &rule, .over = -1,     \
        .charge = (by), .outcome = {                                                     \
            .left = (l),                                                                 \
            .burst = (b)                                                                 \
        }                                                                                \
    }
#define LIMIT(a, temp, l, b) FIRED(CAUSE_LIMIT, &charge, a, temp, l, b)
#define SURGE(a, temp, l, b) FIRED(CAUSE_LIMIT, &surged, a, temp, l, b)
#define CLIENTS(a, temp, l, b) FIRED(CAUSE_LIMIT, &counted, a, temp, l, b)
#define LATCH(by, a, l, b) FIRED(CAUSE_LATCH, by, a, false, l, b)
#define OVER(a, m, v, o)                                                                 \
    {                                                                                    \
        .action = (a), .cause = CAUSE_RULE, .rule = &rule, .measure = (m), .value = (v), \
        .over = (o)                                                                      \
    }
#define SETTING(a, temp, c)                                                              \
    {                                                                                    \
        .action = (a), .temporary = (temp), .cause = (c), .over = -1                     \
    }

static const struct {
    struct verdict verdict;
    const char *line;
} replies[] = {
    {SETTING(ACTION_ACCEPT, false, CAUSE_NONE), "250 accepted"},
    {SETTING(ACTION_ACCEPT, false, CAUSE_RELAY), "250 accepted"},
    {OVER(ACTION_QUARANTINE, MEASURE_REACH, 9, 8), "250 accepted"},
    {OVER(ACTION_REJECT, MEASURE_REACH, 51, 50),
     "550 5.7.1 Too many recipients. (reach 51, limit 50) [mailbrake r]"},
    {OVER(ACTION_DEFER, MEASURE_EXTERNAL, 1, 0),
     "450 4.7.1 Too many recipients. (external 1, limit 0) [mailbrake r]"},
    {OVER(ACTION_REJECT, MEASURE_VISIBLE, 9, 8),
     "550 5.7.1 Too many addresses are visible in To and Cc. (visible 9, limit 8) "
     "[mailbrake r]"},
    {OVER(ACTION_DEFER, MEASURE_VISIBLE_EXTERNAL, 9, 8),
     "450 4.7.1 Too many addresses are visible in To and Cc. (visible external 9, limit "
     "8) "
     "[mailbrake r]"},
    {OVER(ACTION_REJECT, MEASURE_REACH, 7, -1),
     "550 5.7.1 This mail is not allowed. (reach 7) [mailbrake r]"},
    {LIMIT(ACTION_DEFER, false, 12, 1000),
     "450 4.7.1 The sending limit has been reached. (cost 300, left 12 of 1000) "
     "[mailbrake r]"},
    {LIMIT(ACTION_REJECT, false, 299, 300),
     "550 5.7.1 The sending limit has been reached. (cost 300, left 299 of 300) "
     "[mailbrake r]"},
    {LIMIT(ACTION_REJECT, false, 299, 299),
     "550 5.7.1 More recipients than are allowed at once. (cost 300, left 299 of 299) "
     "[mailbrake r]"},
    {LIMIT(ACTION_DEFER, true, 90, 100), "451 4.7.1 This message can't be checked at the "
                                         "moment, please try again later. (cost "
                                         "300, left 90 of 100) [mailbrake r]"},
    {SURGE(ACTION_DEFER, false, 12, 1000),
     "450 4.7.1 More recipients than usual for mail like this. (cost 300, left 12 of "
     "1000) [mailbrake r]"},
    {SURGE(ACTION_REJECT, false, 200, 200),
     "550 5.7.1 More recipients than usual for mail like this. (cost 300, left 200 of "
     "200) [mailbrake r]"},
    {SURGE(ACTION_DEFER, true, 200, 200), "451 4.7.1 This message can't be checked at "
                                          "the moment, please try again later. (cost "
                                          "300, left 200 of 200) [mailbrake r]"},
    {SURGE(ACTION_QUARANTINE, false, 12, 1000), "250 accepted"},
    {CLIENTS(ACTION_REJECT, false, 0, 20),
     "550 5.7.1 This account has sent from too many different addresses. (clients 21, "
     "limit 20) [mailbrake r]"},
    {CLIENTS(ACTION_DEFER, true, 0, 5),
     "451 4.7.1 This message can't be checked at the moment, please try again later. "
     "(clients 6, limit 5) [mailbrake r]"},
    {LATCH(&counted, ACTION_REJECT, 7, 20),
     "550 5.7.1 Mail like this is stopped for a while, since it exceeded its limit. "
     "(clients 14, limit 20) [mailbrake r]"},
    {LATCH(&charge, ACTION_DEFER, 900, 1000), "450 4.7.1 Mail like this is stopped for a "
                                              "while, since it exceeded its limit. (cost "
                                              "300, left 900 of 1000) [mailbrake r]"},
    {LATCH(&surged, ACTION_REJECT, 900, 1000),
     "550 5.7.1 Mail like this is stopped for a while, since it exceeded its limit. "
     "(cost "
     "300, left 900 of 1000) [mailbrake r]"},
    {LATCH(&surged, ACTION_QUARANTINE, 900, 1000), "250 accepted"},
    {{.action = ACTION_REJECT,
      .cause = CAUSE_TOO_MANY,
      .rule = &rule,
      .value = 65,
      .over = 64},
     "550 5.7.1 Too many lists in one message. (lists 65, limit 64) [mailbrake r]"},
    {SETTING(ACTION_DEFER, false, CAUSE_UNKNOWN),
     "450 4.7.1 A mailing list in this message can't be expanded at the moment. "
     "[mailbrake lists_unknown]"},
    {SETTING(ACTION_REJECT, false, CAUSE_UNKNOWN),
     "550 5.7.1 A mailing list in this message can't be expanded at the moment. "
     "[mailbrake lists_unknown]"},
    {{.action = ACTION_DEFER, .cause = CAUSE_GROWN, .over = -1, .grown = &grown},
     "450 4.7.1 A mailing list in this message has suddenly grown. (from 40 to 850000) "
     "[mailbrake lists_grown]"},
    {SETTING(ACTION_DEFER, true, CAUSE_DOUBT),
     "451 4.7.1 This message can't be checked at the moment, please try again later. "
     "[mailbrake doubt]"},
    {SETTING(ACTION_DEFER, true, CAUSE_STORE),
     "451 4.7.1 This message can't be checked at the moment, please try again later. "
     "[mailbrake on_failure]"},
};

static const char *line_of(const struct verdict *verdict, const char *incident)
{
    static char line[600];
    struct reply reply;
    memset(&reply, 0x5a, sizeof reply);
    reply_make(verdict, incident, &reply);
    reply_format(&reply, line, sizeof line);
    return line;
}

START_TEST(reply_says_why)
{
    rule.reason = NULL;
    ck_assert_str_eq(line_of(&replies[_i].verdict, NULL), replies[_i].line);
}
END_TEST

START_TEST(reply_never_shows_the_message)
{
    ck_assert_ptr_null(strstr(line_of(&replies[_i].verdict, NULL), "secret"));
    ck_assert_ptr_null(strstr(line_of(&replies[_i].verdict, NULL), "@"));
}
END_TEST

START_TEST(reply_takes_the_rule_s_reason_and_incident)
{
    struct verdict over = OVER(ACTION_REJECT, MEASURE_REACH, 51, 50);
    strcpy(reason, "100% ours, %s%n.");
    rule.reason = reason;
    ck_assert_str_eq(line_of(&over, "0123456789abcdef"),
                     "550 5.7.1 100% ours, %s%n. (reach 51, limit 50) [mailbrake r "
                     "0123456789abcdef]");
    over.action = ACTION_QUARANTINE;
    ck_assert_str_eq(line_of(&over, "0123456789abcdef"), "250 accepted");
    struct verdict latched = LATCH(&surged, ACTION_REJECT, 9, 10);
    strcpy(reason, "Enough.");
    ck_assert_str_eq(line_of(&latched, "0123456789abcdef"),
                     "550 5.7.1 Enough. (cost 300, left 9 of 10) [mailbrake r "
                     "0123456789abcdef]");
    rule.reason = NULL;
}
END_TEST

START_TEST(reply_longest_fits)
{
    struct charge dear = {.cost = INT64_MAX};
    struct verdict limit = LIMIT(ACTION_REJECT, false, INT64_MIN, INT64_MIN);
    char longest[65];
    struct reply reply;
    memset(reason, 'w', 200);
    reason[200] = '\0';
    memset(longest, 'n', 64);
    longest[64] = '\0';
    limit.charge = &dear;
    rule.reason = reason;
    rule.name = longest;
    reply_make(&limit, "0123456789abcdef", &reply);
    ck_assert_str_eq(reply.text + strlen(reply.text) - 18, " 0123456789abcdef]");
    ck_assert_int_eq(reply.text[strlen(reply.text) - 19], 'n');
    rule.reason = NULL;
    rule.name = name;
}
END_TEST

START_TEST(reply_has_the_parts_of_a_line)
{
    struct reply reply;
    reply_make(&replies[0].verdict, NULL, &reply);
    ck_assert_int_eq(reply.code, 250);
    ck_assert_str_eq(reply.enhanced, "");
    ck_assert_str_eq(reply.text, "");
    reply_make(&replies[3].verdict, NULL, &reply);
    ck_assert_int_eq(reply.code, 550);
    ck_assert_str_eq(reply.enhanced, "5.7.1");
    for (const char *c = reply.text; *c != '\0'; c++)
        ck_assert(*c >= ' ' && *c <= '~');
}
END_TEST

int main(void)
{
    int count = (int)(sizeof replies / sizeof replies[0]);
    Suite *suite = suite_create("reply");
    TCase *cases = tcase_create("reply");
    tcase_add_loop_test(cases, reply_says_why, 0, count);
    tcase_add_loop_test(cases, reply_never_shows_the_message, 0, count);
    tcase_add_test(cases, reply_takes_the_rule_s_reason_and_incident);
    tcase_add_test(cases, reply_longest_fits);
    tcase_add_test(cases, reply_has_the_parts_of_a_line);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
