/* The sample and the manual against the table of options: neither forgets one. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/settings.h"
#include "run.h"

#define SAMPLE SOURCE_DIR "/conf/mailbrake.conf"
#define MANUAL SOURCE_DIR "/doc/mailbrake.conf.5"

static void read_whole(const char *path, struct text *out)
{
    char buffer[4096];
    size_t length;
    FILE *stream = fopen(path, "r");
    ck_assert_msg(stream != NULL, "%s can't be read", path);
    while ((length = fread(buffer, 1, sizeof buffer, stream)) > 0)
        text_add(out, buffer, length);
    ck_assert_int_eq(fclose(stream), 0);
}

/* The sample sets an option ("name ="), or explains it in the table of conditions: a
 * comment that begins with its name, or with "other, name". */
static bool sample_has(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = strstr(text, name); p != NULL; p = strstr(p + 1, name)) {
        if (p > text && strchr(" \n{,", p[-1]) == NULL)
            continue;
        const char *line = p;
        while (line > text && line[-1] != '\n')
            line--;
        if (p[length + strspn(p + length, " ")] == '=')
            return true;
        bool explained = strncmp(line, "#   ", 4) == 0 && strchr(", ", p[length]) != NULL;
        if (explained && (p == line + 4 || p[-2] == ','))
            return true;
    }
    return false;
}

/* The manual has an item for each option, ".It Ic name", or a heading for a group. */
static bool manual_has_item(const char *text, const char *name)
{
    size_t length = strlen(name);
    char heading[100];
    (void)snprintf(heading, sizeof heading, "\n.Ss %s\n", name);
    if (strstr(text, heading) != NULL || strcmp(name, "rules") == 0)
        return true; /* rules have a section of their own */
    static const char item[] = "\n.It Ic ";
    for (const char *p = strstr(text, item); p != NULL; p = strstr(p + 1, item)) {
        const char *words = p + strlen(item);
        const char *end = strchr(words, '\n');
        for (const char *w = words; w != NULL && w < end; w = strchr(w, ' ')) {
            w += *w == ' ';
            if (strncmp(w, name, length) == 0 && strchr(" \n", w[length]) != NULL)
                return true;
        }
    }
    return false;
}

static void check_names(const char *path, bool (*has)(const char *, const char *))
{
    struct text text = {0};
    size_t missing = 0;
    read_whole(path, &text);
    for (const char *const *name = settings_option_names(); *name != NULL; name++) {
        const char *dot = strrchr(*name, '.');
        if (has(text_string(&text), dot == NULL ? *name : dot + 1))
            continue;
        fprintf(stderr, "%s: %s is missing\n", path, *name);
        missing++;
    }
    text_clear(&text);
    ck_assert_uint_eq(missing, 0);
}

START_TEST(sample_names_every_option)
{
    check_names(SAMPLE, sample_has);
}
END_TEST

START_TEST(manual_names_every_option)
{
    check_names(MANUAL, manual_has_item);
}
END_TEST

static void load(const char *path, struct settings *out)
{
    struct problems problems = {0};
    enum status status = settings_load(path, out, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        char line[500];
        problem_format(&problems.items[i], line, sizeof line);
        if (!problems.items[i].warning)
            fprintf(stderr, "%s\n", line);
    }
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_int_eq(status, STATUS_OK);
    problems_clear(&problems);
}

/* Where it stands decides what a rule means. */
static const char *const sample_rules[] = {
    "login-clients",   "announce-rate", "announce-lists", "announce-day",
    "announce-others", "announce",      "null-to-many",   "null-rate",
    "students-cap",    "list-posting",  "list-size",      "automation-lists",
    "outside-lists",   "outside-rate",  "outside-client", "outside-all",
    "reply-storm",     "reply-chat",    "exposed",        "automation-grown",
    "newsletter-rate", "newsletter",    "list-rate",      "list-chat",
    "list-flood",      "outgrown",      "pupils-subject", "one-subject",
    "sender-rate",     "sender-day",    "client-rate",    "hub-rate",
    "clients-rate",    "district-rate",
};

/* What the package begins with stops nothing, and gives nobody a right. */
START_TEST(first_stops_nothing)
{
    struct settings settings;
    load(SOURCE_DIR "/conf/first.conf", &settings);
    ck_assert(settings.policy.monitor);
    ck_assert_int_eq(settings.store.type, STORE_TYPE_MEMORY);
    ck_assert_uint_eq(settings.policy.relays.count, 0);
    ck_assert_uint_eq(settings.policy.group_count, 0);
    ck_assert_uint_gt(settings.policy.rule_count, 4);
    for (size_t i = 0; i < settings.policy.rule_count; i++)
        ck_assert_int_ne(settings.policy.rules[i].action, ACTION_ACCEPT);
    settings_clear(&settings);
}
END_TEST

START_TEST(sample_loads)
{
    struct settings settings;
    load(SAMPLE, &settings);
    ck_assert_uint_eq(settings.policy.rule_count,
                      sizeof sample_rules / sizeof sample_rules[0]);
    ck_assert_uint_eq(settings.policy.group_count, 6);
    ck_assert_uint_eq(settings.list_count, 1);
    ck_assert_str_eq(settings.lists[0].path, SOURCE_DIR "/conf/lists/allstudents.txt");
    settings_clear(&settings);
}
END_TEST

static const struct rule *rule_of(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->policy.rule_count; i++) {
        if (strcmp(settings->policy.rules[i].name, name) == 0)
            return &settings->policy.rules[i];
    }
    ck_abort_msg("no rule %s", name);
}

START_TEST(sample_has_the_rules_in_order)
{
    struct settings settings;
    load(SAMPLE, &settings);
    for (size_t i = 0; i < settings.policy.rule_count; i++)
        ck_assert_str_eq(settings.policy.rules[i].name, sample_rules[i]);
    const struct rule *clients = rule_of(&settings, "login-clients");
    ck_assert_int_eq(clients->key, KEY_LOGIN);
    ck_assert_int_eq(clients->unit, UNIT_CLIENTS);
    ck_assert_int_eq(clients->limit.burst, 20);
    const struct rule *storm = rule_of(&settings, "reply-storm");
    ck_assert_int_eq(storm->key, KEY_THREAD);
    ck_assert_int_eq(storm->latch_ms, 86400000);
    const struct rule *grown = rule_of(&settings, "automation-grown");
    ck_assert_int_eq(grown->key, KEY_FROM);
    ck_assert_int_eq(grown->surge.factor, 2000);
    ck_assert_int_eq(grown->surge.floor, 500);
    ck_assert_int_eq(grown->surge.window_ms, 86400000);
    const struct rule *outgrown = rule_of(&settings, "outgrown");
    ck_assert_int_eq(outgrown->key, KEY_CAMPAIGN);
    ck_assert_int_eq(outgrown->surge.floor, 1000);
    const struct rule *pupils = rule_of(&settings, "pupils-subject");
    ck_assert_int_eq(pupils->key, KEY_TOPIC);
    ck_assert_int_eq(pupils->reply, NO); /* everybody may answer the superintendent */
    ck_assert_int_gt(pupils->surge.floor, outgrown->surge.floor);
    settings_clear(&settings);
}
END_TEST

START_TEST(sample_s_rules_draw_no_warning)
{
    struct settings settings;
    struct problems problems = {0};
    ck_assert_int_eq(settings_load(SAMPLE, &settings, &problems), STATUS_OK);
    for (size_t i = 0; i < problems.count; i++)
        ck_assert_ptr_null(strstr(problems.items[i].text, "rule "));
    problems_clear(&problems);
    settings_clear(&settings);
}
END_TEST

/* What the sample calls defaults are the defaults. */
START_TEST(sample_shows_the_defaults)
{
    char path[] = "/tmp/test_sample.XXXXXX";
    struct settings sample;
    struct settings empty;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *stream = fdopen(fd, "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(fclose(stream), 0);
    load(SAMPLE, &sample);
    load(path, &empty);
    ck_assert_int_eq(remove(path), 0);

    ck_assert_str_eq(sample.policy.domains.delimiters, empty.policy.domains.delimiters);
    ck_assert_int_eq(sample.policy.monitor, empty.policy.monitor);
    ck_assert_int_eq(sample.policy.lists_unknown, empty.policy.lists_unknown);
    ck_assert_int_eq(sample.policy.lists_grown, empty.policy.lists_grown);
    ck_assert_int_eq(sample.max_growth, empty.max_growth);
    ck_assert_int_eq(sample.growth_floor, empty.growth_floor);
    ck_assert_str_eq(sample.milter.socket, empty.milter.socket);
    ck_assert_uint_eq(sample.milter.socket_mode, empty.milter.socket_mode);
    ck_assert_str_eq(sample.control.socket, empty.control.socket);
    ck_assert_str_eq(sample.control.group, empty.control.group);
    ck_assert_str_eq(sample.control.metrics, empty.control.metrics);
    ck_assert_int_eq(sample.control.metrics_public, empty.control.metrics_public);
    ck_assert_str_eq(sample.mta.config_directory, empty.mta.config_directory);
    ck_assert_str_eq(sample.mta.helper, empty.mta.helper);
    ck_assert_int_eq(sample.mta.type, empty.mta.type);
    ck_assert_int_eq(sample.mta.content, empty.mta.content);
    ck_assert_mem_eq(&sample.quarantine, &empty.quarantine, sizeof sample.quarantine);
    ck_assert_str_eq(sample.notify.command, empty.notify.command);
    ck_assert_int_eq(sample.notify.min_interval_ms, empty.notify.min_interval_ms);
    ck_assert_int_eq(sample.notify.tell_sender, empty.notify.tell_sender);
    ck_assert_int_eq(sample.privacy.addresses, empty.privacy.addresses);
    ck_assert_str_eq(sample.privacy.key_file, empty.privacy.key_file);
    ck_assert_int_eq(sample.privacy.retention_ms, empty.privacy.retention_ms);
    ck_assert_int_eq(sample.store.type, empty.store.type);
    ck_assert_str_eq(sample.store.host, empty.store.host);
    ck_assert_int_eq(sample.store.port, empty.store.port);
    ck_assert_str_eq(sample.store.username, empty.store.username);
    ck_assert_str_eq(sample.store.password_file, empty.store.password_file);
    ck_assert_int_eq(sample.store.database, empty.store.database);
    ck_assert_str_eq(sample.store.prefix, empty.store.prefix);
    ck_assert_int_eq(sample.store.timeout_ms, empty.store.timeout_ms);
    ck_assert_int_eq(sample.store.connections, empty.store.connections);
    ck_assert_int_eq(sample.store.on_failure, empty.store.on_failure);
    ck_assert_int_eq(sample.store.nodes, empty.store.nodes);
    settings_clear(&sample);
    settings_clear(&empty);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sample");
    TCase *tests = tcase_create("sample");
    tcase_add_test(tests, sample_names_every_option);
    tcase_add_test(tests, manual_names_every_option);
    tcase_add_test(tests, sample_loads);
    tcase_add_test(tests, first_stops_nothing);
    tcase_add_test(tests, sample_has_the_rules_in_order);
    tcase_add_test(tests, sample_s_rules_draw_no_warning);
    tcase_add_test(tests, sample_shows_the_defaults);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
