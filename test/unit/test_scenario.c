/* The text of a scenario: what it means, and what is said of one that is wrong. */
#include "../support/replay_files.h"

#include "replay/generator.h"
#include "run.h"

static struct scenario scenario;

static void tear_down(void)
{
    scenario_clear(&scenario);
}

#define SEND                                                                             \
    "send as storm %s\n"                                                                 \
    "from a@x.org\n"                                                                     \
    "to b@x.org\n"

/* "MS:SENDER>RECIPIENT,...;" of every message, times since the start. */
static const char *generated(const char *text)
{
    static struct text out;
    struct generated_message message;
    struct error error = {0};
    text_clear(&out);
    scenario_clear(&scenario);
    scenario_of(text, &scenario);
    struct generator *generator = generator_new(&scenario);
    ck_assert_ptr_nonnull(generator);
    while (generator_next(generator, &message, &error) == STATUS_OK) {
        text_printf(&out, "%lld:%s>", (long long)(message.at_ms - scenario.start_ms),
                    message.envelope.sender);
        for (size_t i = 0; i < message.envelope.recipient_count; i++)
            text_printf(&out, "%s%s", i > 0 ? "," : "",
                        message.envelope.recipients[i].address);
        text_add_string(&out, ";");
    }
    generator_free(generator);
    return text_string(&out);
}

/* The times alone. */
static const char *times(const char *schedule)
{
    static struct text out;
    char text[400];
    text_clear(&out);
    (void)snprintf(text, sizeof text, SEND, schedule);
    for (const char *c = generated(text); *c != '\0'; c = strchr(c, ';') + 1)
        text_printf(&out, "%s%.*s", out.length > 0 ? " " : "", (int)strcspn(c, ":"), c);
    return text_string(&out);
}

START_TEST(timing_says_when)
{
    ck_assert_str_eq(times(""), "0");
    ck_assert_str_eq(times("at 1h 2s 3ms"), "3602003");
    ck_assert_str_eq(times("times 3 every 10s"), "0 10000 20000");
    ck_assert_str_eq(times("times 3 for 10s"), "0 3333 6666");
    ck_assert_str_eq(times("times 0 for 10s"), "");
    ck_assert_str_eq(times("times 2 every 20ms"), "0 20");
}
END_TEST

START_TEST(timing_at_random_is_in_order_and_always_the_same)
{
    char first[2000];
    (void)snprintf(first, sizeof first, "%s", times("times 50 for 1h random"));
    ck_assert_str_eq(times("times 50 for 1h random"), first);
    long long last = -1;
    int count = 0;
    for (char *at = first; *at != '\0'; count++) {
        long long ms = strtoll(at, &at, 10);
        ck_assert_int_ge(ms, last);
        ck_assert_int_lt(ms, 3600000);
        last = ms;
        at += *at == ' ';
    }
    ck_assert_int_eq(count, 50);
}
END_TEST

START_TEST(blocks_repeat)
{
    ck_assert_str_eq(generated("repeat 2 each 1d\n"
                               "  repeat 2 each 10s\n"
                               "    send at 1s\n"
                               "      from f{n}r{run}@x\n"
                               "      to t@x\n"
                               "  end\n"
                               "end\n"),
                     "1000:f1r1@x>t@x;11000:f1r2@x>t@x;"
                     "86401000:f1r3@x>t@x;86411000:f1r4@x>t@x;");
    ck_assert_int_eq(scenario.messages, 4);
    ck_assert_int_eq(scenario.length_ms, 86411000);
}
END_TEST

START_TEST(series_are_merged_by_time)
{
    ck_assert_str_eq(generated("send times 2 every 10s\nfrom a@x\nto t@x\n"
                               "send at 5s times 2 every 5s\nfrom b@x\nto t@x\n"
                               "send\nfrom c@x\nto t@x\n"),
                     "0:a@x>t@x;0:c@x>t@x;5000:b@x>t@x;10000:a@x>t@x;10000:b@x>t@x;");
}
END_TEST

START_TEST(lines_are_taken_in_turn)
{
    ck_assert_str_eq(generated("send times 3 every 1s\n"
                               "from a{n}@x\nfrom <>\n"
                               "to p{1..3}@x, q@x\nto z@x\n"),
                     "0:a1@x>p1@x,p2@x,p3@x,q@x;1000:>z@x;"
                     "2000:a3@x>p1@x,p2@x,p3@x,q@x;");
}
END_TEST

START_TEST(variables_can_stand_anywhere)
{
    ck_assert_str_eq(generated("set who = all\nset times = 2\n"
                               "set both = {who}@{domain}\n"
                               "send times {times * 1} every {times}s\n"
                               "from a@x\nto {both}\n"),
                     "0:a@x>all@district.example;2000:a@x>all@district.example;");
}
END_TEST

/* Header fields of the first message, as "Name: value;". */
static const char *headers(const char *text)
{
    static struct text out;
    struct generated_message message;
    struct error error = {0};
    text_clear(&out);
    scenario_of(text, &scenario);
    struct generator *generator = generator_new(&scenario);
    ck_assert_int_eq(generator_next(generator, &message, &error), STATUS_OK);
    for (size_t i = 0; i < message.envelope.header_count; i++)
        text_printf(&out, "%s: %s;", message.envelope.headers[i].name,
                    message.envelope.headers[i].value);
    generator_free(generator);
    return text_string(&out);
}

START_TEST(headers_show_to_and_cc_but_not_bcc)
{
    ck_assert_str_eq(headers("send\nfrom a@x\nto b{1..2}@x\ncc c@x\nbcc d@x\n"
                             "subject Hello {n}  # a comment\n"
                             "header X-Two: a: b\n"),
                     "To: b1@x, b2@x;Cc: c@x;Subject: Hello 1;X-Two: a: b;"
                     "Message-ID: <0.1.1@replay.invalid>;");
    scenario_clear(&scenario);
    ck_assert_str_eq(headers("send\nfrom a@x\nto b@x\nheader to: everybody\n"
                             "header message-id: <1@x>\n"),
                     "to: everybody;message-id: <1@x>;");
}
END_TEST

START_TEST(start_is_local_time)
{
    scenario_of("start 2024-12-13 18:55\nsend\nfrom a@x\nto b@x\n", &scenario);
    int64_t date = scenario.start_ms;
    scenario_clear(&scenario);
    scenario_of("start Fri 18:55:00\nsend\nfrom a@x\nto b@x\n", &scenario);
    ck_assert_int_eq((date - scenario.start_ms) % (7 * 86400000LL), 0);
}
END_TEST

START_TEST(the_command_line_overrides)
{
    static const char text[] = "set a = 1\nset b = {a}\n"
                               "send times {b} every 1s\nfrom a@x\nto b@x\n";
    const char *given[] = {"a=3"};
    struct problems problems = {0};
    struct scenario_options options = {0};
    for (int i = 0; i < 2; i++) {
        options.given = given;
        options.given_count = (size_t)i;
        ck_assert_int_eq(
            scenario_read(text, strlen(text), "s", &options, &scenario, &problems),
            STATUS_OK);
        ck_assert_int_eq(scenario.messages, i == 0 ? 1 : 3);
        scenario_clear(&scenario);
    }
    given[0] = "c=3";
    ck_assert_int_eq(
        scenario_read(text, strlen(text), "s", &options, &scenario, &problems),
        STATUS_INVALID);
    ck_assert_str_eq(problems_text(&problems), "s: there is no variable c to set\n");
    problems_clear(&problems);
}
END_TEST

START_TEST(expectations_are_read)
{
    scenario_of("set staff = 1200\n"
                "send as storm\nfrom a@x\nto b@x\n"
                "expect storm copies <= staff * 11 + size(all@x) from 1h until 1d 2h\n"
                "expect all held copies by list-rate = {staff}\n"
                "expect storm stopped > 0\n",
                &scenario);
    ck_assert_uint_eq(scenario.expectation_count, 3);
    const struct expectation *first = &scenario.expectations[0];
    ck_assert_str_eq(scenario.tags[first->tag], "storm");
    ck_assert(first->what == COUNT_ACCEPTED && first->copies);
    ck_assert_int_eq(first->relation, RELATION_LE);
    ck_assert_int_eq(first->from_ms, 3600000);
    ck_assert_int_eq(first->until_ms, 26 * 3600000);
    const struct expectation *second = &scenario.expectations[1];
    ck_assert_uint_eq(second->tag, SCENARIO_ALL);
    ck_assert(second->what == COUNT_HELD && second->copies);
    ck_assert_str_eq(second->rule, "list-rate");
    ck_assert_str_eq(second->text, "all held copies by list-rate = 1200");
    ck_assert(!scenario.expectations[2].copies);
}
END_TEST

/* Each line alone is wrong; the words that must be said of it. */
static const struct {
    const char *text, *said;
} wrong[] = {
    {"frobnicate", "'frobnicate' is not known here"},
    {"login a", "'login' is not known here"},
    {"set a", "use set NAME = VALUE"},
    {"set 1a = 2", "a variable's name is letters"},
    {"set n = 2", "n is reserved"},
    {"set a = {n}", "only variables are allowed"},
    {"set a = {b}", "no such variable is set above"},
    {"set a = {", "a brace is not closed"},
    {"start yesterday", "start needs"},
    {"start 2024-02-30 10:00", "start needs"},
    {"start Fri 25:00", "start needs"},
    {"list all@x", "use list ADDRESS NUMBER"},
    {"permit", "use permit KEY COPIES"},
    {"permit login:a", "use permit KEY COPIES"},
    {"permit login:a many for 1h", "use permit KEY COPIES"},
    {"permit login:a 5", "use permit KEY COPIES"},
    {"permit login:a 5 at 1h", "use permit KEY COPIES"},
    {"permit login:a 5 for 1h to", "use permit KEY COPIES"},
    {"permit login:a 5 for 1h nobody", "use permit KEY COPIES"},
    {"confirm", "use confirm TAG at DURATION"},
    {"confirm storm", "use confirm TAG at DURATION"},
    {"confirm storm at 1h now", "use confirm TAG at DURATION"},
    {"list all@x many", "use list ADDRESS NUMBER"},
    {"list all@x 9999999999", "use list ADDRESS NUMBER"},
    {"repeat 2\nend", "use repeat N each DURATION"},
    {"repeat 2 each 0s\nend", "use repeat N each DURATION"},
    {"end", "end closes a repeat"},
    {"repeat 2 each 1d", "this repeat has no end"},
    {"repeat 99999999 each 1d\nend", "that is longer than ten years"},
    {"send at soon", "a duration is missing"},
    {"send at 5", "'5' is not a duration"},
    {"send at 5 minutes", "'5 minutes' is not a duration"},
    {"send at 99999w", "that is longer than ten years"},
    {"send times many", "times needs a number"},
    {"send as a-b", "is not a name"},
    {"send now", "'now' is not at, every"},
    {"send times 2\nfrom a@x\nto b@x", "times needs every or for"},
    {"send every 2s\nfrom a@x\nto b@x", "every and for need times"},
    {"send for 2s\nfrom a@x\nto b@x", "every and for need times"},
    {"send for 2s every 1s\nfrom a@x\nto b@x", "every and for can't be used together"},
    {"send every 0s times 2\nfrom a@x\nto b@x", "every and for must be more than 0"},
    {"send times 2 every 1s random\nfrom a@x\nto b@x", "random needs times and for"},
    {"send\nto b@x", "from is missing"},
    {"send\nfrom a@x", "to is missing"},
    {"send\nfrom a{1..2}@x\nto b@x", "{a..b} is allowed only in"},
    {"send\nfrom a@x\nto b@x\nto", "a value is missing"},
    {"send\nfrom a@x\nto b@x\nheader nothing", "use header NAME: VALUE"},
    {"send\nfrom a@x\nto b@x\npeople 5", "'people' is not known here"},
    {"ordinary", "people is missing"},
    {"ordinary\npeople few", "people needs a number"},
    {"ordinary\npeople 5\nfrom a@x", "'from' is not known here"},
    {"repeat 2 each 1m\nsend at 1m\nfrom a@x\nto b@x\nend", "a run is not over"},
    {"repeat 2 each 1m\nsend times 7 every 10s\nfrom a@x\nto b@x\nend",
     "a run is not over"},
    {"expect storm", "use expect TAG WHAT"},
    {"expect = 0", "use expect TAG WHAT"},
    {"expect storm lost = 0", "'lost' is not copies"},
    {"expect storm copies more = 0", "'more' is not expected here"},
    {"expect storm copies =", "a number is missing"},
    {"expect storm copies = 0 from soon", "a duration is missing"},
    {"expect flood copies = 0", "nothing is sent as flood"},
};

START_TEST(what_is_wrong_is_told)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[600];
        char line[300];
        struct problems problems = {0};
        const struct scenario_options options = {0};
        (void)snprintf(text, sizeof text, "%s\nsend as storm\nfrom a@x.org\nto b@x.org\n",
                       wrong[i].text);
        ck_assert_msg(scenario_read(text, strlen(text), "s", &options, &scenario,
                                    &problems) == STATUS_INVALID,
                      "%s", wrong[i].text);
        problem_format(&problems.items[0], line, sizeof line);
        ck_assert_msg(strstr(line, wrong[i].said) != NULL, "%s: %s", wrong[i].text, line);
        problems_clear(&problems);
    }
}
END_TEST

START_TEST(all_errors_are_told_in_one_go_with_their_lines)
{
    static const char text[] = "start now\n"
                               "\n"
                               "send times 3\n"
                               "  from a@x\n"
                               "  too b@x\n"
                               "  to b@x\n"
                               "expect nobody copies = 0\n";
    struct problems problems = {0};
    const struct scenario_options options = {0};
    ck_assert_int_eq(
        scenario_read(text, strlen(text), "s", &options, &scenario, &problems),
        STATUS_INVALID);
    ck_assert_str_eq(problems_text(&problems),
                     "s:1: start needs 2024-12-13 18:55 or Fri 18:55, local time\n"
                     "s:3: times needs every or for\n"
                     "s:5: 'too' is not known here\n"
                     "s:7: nothing is sent as nobody\n");
    problems_clear(&problems);
}
END_TEST

START_TEST(what_cannot_be_filled_in_is_told)
{
    struct generated_message message;
    struct error error = {0};
    scenario_of("send times 3 every 1s\nfrom a{10 / (3 - n)}@x\nto b@x\n", &scenario);
    struct generator *generator = generator_new(&scenario);
    ck_assert_int_eq(generator_next(generator, &message, &error), STATUS_OK);
    ck_assert_int_eq(generator_next(generator, &message, &error), STATUS_OK);
    ck_assert_int_eq(generator_next(generator, &message, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "division by 0");
    ck_assert_int_eq(error.line, 1);
    generator_free(generator);
}
END_TEST

START_TEST(ordinary_mail_is_a_mix)
{
    struct generated_message message;
    struct error error = {0};
    int many = 0;
    int lists = 0;
    int incoming = 0;
    int count = 0;
    scenario_of("ordinary times 2000 for 1h random\n"
                "  people 100 of p{n}@x\n"
                "  lists club{1..5}@x\n",
                &scenario);
    struct generator *generator = generator_new(&scenario);
    for (; generator_next(generator, &message, &error) == STATUS_OK; count++) {
        const struct envelope *envelope = &message.envelope;
        ck_assert_uint_ge(envelope->recipient_count, 1);
        ck_assert_uint_le(envelope->recipient_count, 5);
        many += envelope->recipient_count > 1;
        incoming += envelope->login == NULL;
        lists += strncmp(envelope->recipients[0].address, "club", 4) == 0;
    }
    generator_free(generator);
    ck_assert_int_eq(count, 2000);
    ck_assert_int_gt(many, 200);
    ck_assert_int_gt(incoming, 200);
    ck_assert_int_gt(lists, 20);
}
END_TEST

START_TEST(scenario_is_found_by_its_name)
{
    static const char folder[] = SOURCE_DIR "/test/replay";
    static const struct {
        const char *name;
        const char *found; /* in the folder; NULL: nowhere */
    } cases[] = {
        {"palo-alto-a", "/palo-alto-a.scenario"},
        {"palo-alto-a.scenario", "/palo-alto-a.scenario"},
        {"no-such-storm", NULL},
        {"", NULL},
    };
    struct error error = {0};
    struct text path = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_reset(&path);
        enum status status = scenario_find(cases[i].name, folder, &path, &error);
        ck_assert_int_eq(status, cases[i].found == NULL ? STATUS_NOT_FOUND : STATUS_OK);
        if (cases[i].found == NULL)
            ck_assert_ptr_nonnull(strstr(error.text, folder));
        else
            ck_assert_str_eq(text_string(&path) + strlen(folder), cases[i].found);
    }
    /* a path is left alone, also when nothing is there */
    text_reset(&path);
    ck_assert_int_eq(scenario_find("./palo-alto-a", folder, &path, &error), STATUS_OK);
    ck_assert_str_eq(text_string(&path), "./palo-alto-a");
    text_clear(&path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario");
    TCase *tests = tcase_create("scenario");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, scenario_is_found_by_its_name);
    tcase_add_test(tests, timing_says_when);
    tcase_add_test(tests, timing_at_random_is_in_order_and_always_the_same);
    tcase_add_test(tests, blocks_repeat);
    tcase_add_test(tests, series_are_merged_by_time);
    tcase_add_test(tests, lines_are_taken_in_turn);
    tcase_add_test(tests, variables_can_stand_anywhere);
    tcase_add_test(tests, headers_show_to_and_cc_but_not_bcc);
    tcase_add_test(tests, start_is_local_time);
    tcase_add_test(tests, the_command_line_overrides);
    tcase_add_test(tests, expectations_are_read);
    tcase_add_test(tests, what_is_wrong_is_told);
    tcase_add_test(tests, all_errors_are_told_in_one_go_with_their_lines);
    tcase_add_test(tests, what_cannot_be_filled_in_is_told);
    tcase_add_test(tests, ordinary_mail_is_a_mix);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
