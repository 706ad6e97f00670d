/* What administrators and senders read: in which order, and which commands. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/notices/notice_text.h"
#include "quarantine/record.h"
#include "run.h"

static struct settings settings;
static struct text subject, body;

static void setup(void)
{
    settings = (struct settings){0};
    settings.quarantine.expire_ms = INT64_C(7) * 86400 * 1000;
}

static void teardown(void)
{
    text_clear(&subject);
    text_clear(&body);
}

static struct event event;

static struct stop make_stop(const char *key)
{
    event = (struct event){.rule = "list-rate",
                           .fingerprint = "f",
                           .subject = key,
                           .identity = "login:ann@own",
                           .sender = "ann@own",
                           .client = "10.0.0.1",
                           .limit = "20 messages per 1h",
                           .before = 19,
                           .tell = true,
                           .lists = {"all@own", "staff@own"},
                           .list_count = 2,
                           .reach = 1240,
                           .copies = 1300,
                           .now_ms = 1795291874000};
    return (struct stop){
        .event = &event, .party = "p1", .held = 1, .first_ms = 1795291814000};
}

/* Addressed to people, and to no list. */
static void address(const char *const *people, size_t named, size_t count)
{
    memset(event.lists, 0, sizeof event.lists);
    event.list_count = 0;
    memcpy(event.addressed, people, named * sizeof *people);
    event.addressed_count = count;
}

static void describe(const struct stop *stop)
{
    json_t *incident = record_new_incident("0123456789abcdef", stop);
    const struct notice_facts facts = {incident, &settings, "mx1", NULL};
    ck_assert_ptr_nonnull(incident);
    text_reset(&subject);
    text_reset(&body);
    notice_subject(&facts, &subject);
    notice_body(&facts, &body);
    json_decref(incident);
}

static int count_commands(void)
{
    int count = 0;
    for (const char *at = text_string(&body); (at = strstr(at, "\n  mailbrake ")) != NULL;
         at++)
        count++;
    return count;
}

static bool says(const char *words)
{
    return strstr(text_string(&body), words) != NULL;
}

START_TEST(notice_counts_clients)
{
    struct stop stop = make_stop("login:ann@own");
    event.limit = "20 clients per 1d";
    event.before = 20;
    describe(&stop);
    ck_assert(says("went out     20 clients that sent before this"));
    ck_assert(says("limit        20 clients per 1d"));
}
END_TEST

START_TEST(notice_says_it_in_this_order)
{
    static const char *const parts[] = {
        "who          login:ann@own",
        "what         1 message held, waiting for your decision",
        "to           all@own",
        "people       1240 reached by the largest message; 1300 copies in all",
        "since        2026-11-2",
        "went out     19 messages before this",
        "limit        20 messages per 1h",
        "relay        mx1",
        "If nobody does anything",
        "  mailbrake quarantine release --incident 0123456789abcdef ",
        "  mailbrake quarantine refuse --incident 0123456789abcdef ",
    };
    struct stop stop = make_stop("login:ann@own");
    describe(&stop);
    const char *at = text_string(&body);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *found = strstr(at, parts[i]);
        ck_assert_msg(found != NULL, "%s is not behind the rest:\n%s", parts[i],
                      text_string(&body));
        at = found;
    }
    ck_assert_int_eq(count_commands(), 2);
    ck_assert_str_eq(text_string(&subject),
                     "Mailbrake: login:ann@own: 1 held, to 1240 people");
}
END_TEST

struct fit {
    const char *key, *rule, *command; /* command: the second one of mail not held */
};

START_TEST(notice_names_the_relays_that_stopped_it)
{
    struct stop stop = make_stop("login:ann@own");
    stop.host = "mx2";
    json_t *incident = record_new_incident("0123456789abcdef", &stop);
    ck_assert_ptr_nonnull(incident);
    const struct notice_facts facts = {incident, &settings, "mx1", NULL};
    ck_assert(record_grow(incident, &stop));
    stop.host = "mx3";
    ck_assert(record_grow(incident, &stop));
    notice_body(&facts, &body);
    ck_assert(says("  relay        mx2, mx3\n"));
    json_decref(incident);
}
END_TEST

START_TEST(notice_commands_fit_the_incident)
{
    static const struct fit fits[] = {
        {"login:ann@own", "r", "brake set login:ann@own --for 4h"},
        {"sender:x@else", "r", "brake set sender:x@else --for 4h"},
        {"client:10.0.0.1", "r", "brake set client:10.0.0.1 --for 4h"},
        {"domain:else.example", "r", "brake set domain:else.example --for 4h"},
        {"list:all@own", "r", "brake set list:all@own --for 4h"},
        {"thread:<id@else>", "r", "incidents allow 0123456789abcdef --for 4h"},
        {"campaign:login:ann@own#ff", "r", "incidents allow 0123456789abcdef --for 4h"},
        {"topic:ff", "r", "incidents allow 0123456789abcdef --for 4h"},
        {"all", "r", "incidents allow 0123456789abcdef --for 4h"},
        {"sender:\"x'|reboot|'\"@else", "r", "incidents allow 0123456789abcdef --for 4h"},
        {"(many)", "r", "brake set all --for 1h"},
        {"list:all@own", "brake", "brake clear list:all@own"},
    };
    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
        struct stop stop = make_stop(fits[i].key);
        event.rule = fits[i].rule;
        describe(&stop);
        ck_assert_int_eq(count_commands(), 2);
        ck_assert(says("quarantine release --incident") && !says("brake set"));
        stop.held = 0;
        stop.refused = 30;
        describe(&stop);
        ck_assert_int_eq(count_commands(), 2);
        ck_assert(!says("release") && says("mailbrake incidents show 0123456789abcdef"));
        ck_assert_msg(says(fits[i].command), "%s: %s", fits[i].command,
                      text_string(&body));
        ck_assert(strncmp(fits[i].key, "login:", 6) == 0 || !says("set login:"));
    }
}
END_TEST

START_TEST(notice_of_lists_that_jumped)
{
    char rule[] = "rule@own";
    char cut[] = "cut$(reboot)@own";
    struct list_jump items[] = {
        {.address = rule, .was = 40, .size = 850000, .grown = true},
        {.address = cut, .was = 1240, .size = 1240},
    };
    struct list_jumps jumps = {items, 1};
    settings.policy.lists_grown = ACTION_QUARANTINE;
    notice_jumps_subject(&jumps, &subject);
    notice_jumps_body(&jumps, &settings, "mx1", &body);
    ck_assert_str_eq(text_string(&subject),
                     "Mailbrake: rule@own has grown from 40 to 850,000 members");
    ck_assert(says("gets the action \"quarantine\""));
    ck_assert(says("mailbrake lists accept rule@own\n"));
    ck_assert(says("mx1"));
    ck_assert(!says("max_age"));
    teardown();
    jumps.count = 2;
    notice_jumps_subject(&jumps, &subject);
    notice_jumps_body(&jumps, &settings, "mx1", &body);
    ck_assert_ptr_nonnull(strstr(text_string(&subject), "members, and 1 more list"));
    ck_assert(says("cut$(reboot)@own has lost many of its 1,240 members"));
    ck_assert(says("mailbrake lists accept --all"));
    ck_assert(says("max_age"));
    teardown();
    jumps = (struct list_jumps){items + 1, 1};
    notice_jumps_body(&jumps, &settings, "mx1", &body);
    ck_assert(!says("accept cut$(reboot)@own"));
}
END_TEST

START_TEST(notice_names_what_is_no_list)
{
    static const char *const people[] = {"p1@else", "p2@else", "p3@else"};
    struct stop stop = make_stop("sender:x@else");
    stop.held = 0;
    address(people, 3, 90);
    stop.refused = 10;
    event.before = -1;
    event.limit = "reach over 50";
    describe(&stop);
    ck_assert(says("to           p1@else\n") && says("and 87 more"));
    ck_assert(says("not counted by this rule") && says("reach over 50"));
    ck_assert(says("10 refused"));
    stop.refused = 0;
    stop.deferred = 12;
    describe(&stop);
    ck_assert(says("servers will try again"));
    ck_assert_str_eq(text_string(&subject),
                     "Mailbrake: sender:x@else: 12 deferred, to 1240 people");
}
END_TEST

START_TEST(notice_escapes_strangers_words)
{
    static const char *const people[] = {"x\r\nBcc: y@else\x1b[2J"};
    struct stop stop = make_stop("sender:\"a\r\nBcc: b@else\"@c\xe2\x80\xae");
    event.identity = event.sender = "sender:\"\r\n.\r\n\"@else";
    address(people, 1, 1);
    describe(&stop);
    for (const char *c = text_string(&body); *c != '\0'; c++)
        ck_assert(*c == '\n' || (*c >= ' ' && *c <= '~'));
    for (const char *c = text_string(&subject); *c != '\0'; c++)
        ck_assert(*c >= ' ' && *c <= '~');
    ck_assert(!says("\nBcc") && !says("\n.\n"));
}
END_TEST

START_TEST(notice_to_a_sender_says_nothing_of_others)
{
    struct stop stop = make_stop("list:all@own");
    event.lists[0] = "secret@own";
    event.lists[1] = NULL;
    event.list_count = 1;
    event.reach = 7777;
    json_t *incident = record_new_incident("0123456789abcdef", &stop);
    stop = make_stop("list:all@own");
    event.sender = "bob@own";
    event.reach = 12;
    ck_assert(record_grow(incident, &stop));
    const json_t *letters = json_object_get(incident, "letters");
    ck_assert_uint_eq(json_array_size(letters), 2);
    const struct notice_facts facts = {incident, &settings, "mx1", NULL};
    notice_sender_body(&facts, json_array_get(letters, 1), &body);
    ck_assert(says("all@own") && says("people       12\n") && says("relay        mx1"));
    ck_assert(says("0123456789abcdef") &&
              says("it will be refused, and you will be told"));
    ck_assert(!says("secret") && !says("ann") && !says("7777"));
    json_decref(incident);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notice_text");
    TCase *tcase = tcase_create("notice_text");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, notice_says_it_in_this_order);
    tcase_add_test(tcase, notice_counts_clients);
    tcase_add_test(tcase, notice_names_the_relays_that_stopped_it);
    tcase_add_test(tcase, notice_commands_fit_the_incident);
    tcase_add_test(tcase, notice_of_lists_that_jumped);
    tcase_add_test(tcase, notice_names_what_is_no_list);
    tcase_add_test(tcase, notice_escapes_strangers_words);
    tcase_add_test(tcase, notice_to_a_sender_says_nothing_of_others);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
