/* Runs the text files of test/matrix, on the memory store and on Redis: a configuration,
 * its list files, and a line for each message with what must become of it: by live mail,
 * by explain before it, and by replay, which has a store of its own. test/matrix/README
 * says how to add one. */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/redis_server.h"
#include "base/clock.h"
#include "engine/decide.h"
#include "engine/explanation.h"
#include "lists/catalog.h"
#include "replay/simulated.h"
#include "run.h"
#include "store/subject_key.h"

enum { FIELDS_MAX = 64, RECIPIENTS = 200, LINE_SIZE = 8192 };

/* A message as a line of the matrix describes it, and what is expected. */
struct row {
    const char *name;
    struct envelope envelope;
    struct envelope_recipient recipients[RECIPIENTS];
    struct header headers[FIELDS_MAX];
    size_t header_count;
    long times;
    int minute;
    const char *verdict, *rule, *reply, *would, *identity;
    long long reach;
};

/* Who judges the messages of a file. */
struct relay {
    struct engine engine;
    struct simulated *simulated;         /* of replay */
    struct conversations *conversations; /* of replay */
    struct catalog *catalog;
};

static char folder[64];
static int failures;

static void complain(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
    failures++;
}

/* The next word; `...` keeps blanks. NULL at the end. */
static char *next_word(char **at)
{
    char *from = *at + strspn(*at, " \t\n");
    char *to = from;
    bool quoted = false;
    if (*from == '\0')
        return NULL;
    char *out = from;
    for (; *to != '\0' && (quoted || strchr(" \t\n", *to) == NULL); to++) {
        if (*to == '`')
            quoted = !quoted;
        else
            *out++ = *to;
    }
    *at = *to == '\0' ? to : to + 1;
    *out = '\0';
    return from;
}

static int parse_minute(const char *text)
{
    static const char days[] = "MonTueWedThuFriSatSun";
    char day[4] = {text[0], text[1], text[2], '\0'};
    const char *found = strstr(days, day);
    int hour = 0;
    int minute = 0;
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(sscanf(text + 3, "-%d:%d", &hour, &minute), 2);
    return (int)((found - days) / 3) * 1440 + hour * 60 + minute;
}

static void take_recipients(struct row *row, char *value)
{
    char *save = NULL;
    for (char *word = strtok_r(value, ",", &save); word != NULL;
         word = strtok_r(NULL, ",", &save)) {
        size_t count = row->envelope.recipient_count++;
        ck_assert_uint_lt(count, RECIPIENTS);
        row->recipients[count] =
            (struct envelope_recipient){.typed = word, .address = word};
    }
}

static void take_header(struct row *row, char *value)
{
    char *colon = strchr(value, ':');
    ck_assert_ptr_nonnull(colon);
    *colon = '\0';
    row->headers[row->header_count++] =
        (struct header){.name = value, .value = colon + 1 + strspn(colon + 1, " ")};
}

static bool take_field(struct row *row, const char *name, char *value)
{
    if (strcmp(name, "from") == 0)
        row->envelope.sender = value;
    else if (strcmp(name, "login") == 0)
        row->envelope.login = value;
    else if (strcmp(name, "client") == 0)
        row->envelope.client = value;
    else if (strcmp(name, "to") == 0)
        take_recipients(row, value);
    else if (strcmp(name, "header") == 0)
        take_header(row, value);
    else if (strcmp(name, "at") == 0)
        row->minute = parse_minute(value);
    else if (strcmp(name, "times") == 0)
        row->times = strtol(value, NULL, 10);
    else if (strcmp(name, "reply") == 0)
        row->reply = value;
    else if (strcmp(name, "would") == 0)
        row->would = value;
    else if (strcmp(name, "identity") == 0)
        row->identity = value;
    else if (strcmp(name, "reach") == 0)
        row->reach = strtoll(value, NULL, 10);
    else
        return false;
    return true;
}

static bool parse_row(char *line, struct row *row)
{
    char *bar = strchr(line, '|');
    char *second = bar == NULL ? NULL : strchr(bar + 1, '|');
    char *word;
    if (second == NULL)
        return false;
    *bar = *second = '\0';
    row->name = next_word(&line);
    row->times = 1;
    row->reach = -1;
    row->envelope.client = "203.0.113.9";
    row->envelope.recipients = row->recipients;
    row->envelope.headers = row->headers;
    char *parts[] = {bar + 1, second + 1};
    for (size_t i = 0; i < 2; i++) {
        while ((word = next_word(&parts[i])) != NULL) {
            char *equals = strchr(word, '=');
            if (equals != NULL) {
                *equals = '\0';
                if (!take_field(row, word, equals + 1))
                    return false;
            } else if (i == 0 && strcmp(word, "local") == 0) {
                row->envelope.local = true;
            } else if (i == 1 && row->verdict == NULL) {
                row->verdict = word;
            } else if (i == 1 && row->rule == NULL) {
                row->rule = word;
            } else {
                return false;
            }
        }
    }
    row->envelope.header_count = row->header_count;
    return row->verdict != NULL && row->envelope.recipient_count > 0;
}

static void expect(const char *file, int line, const struct row *row, const char *what,
                   const char *wanted, const char *got)
{
    char text[LINE_SIZE];
    bool holds = strcmp(what, "reply") == 0 ? strstr(got, wanted) != NULL
                                            : strcmp(wanted, got) == 0;
    if (holds)
        return;
    (void)snprintf(text, sizeof text, "%s: %s should be \"%s\" and is \"%s\"", row->name,
                   what, wanted, got);
    complain(file, line, text);
}

/* "VERDICT RULE", as live mail says it. */
static void say(const struct judgement *judgement, char out[LINE_SIZE])
{
    struct verdict reported = judgement_reported(judgement);
    (void)snprintf(out, LINE_SIZE, "%s %s",
                   reported.temporary ? "tempfail" : action_name(reported.action),
                   judge_decider(&judgement->verdict));
}

static void explain(struct relay *relay, const struct engine_input *input,
                    char out[LINE_SIZE])
{
    struct explanation explanation;
    ck_assert_int_eq(explanation_make(input, relay->engine.store,
                                      clock_monotonic_us() + 5 * INT64_C(1000000),
                                      &explanation),
                     STATUS_OK);
    say(&explanation.judgement, out);
    explanation_clear(&explanation);
}

static void replay(struct relay *relay, struct engine_input input, char out[LINE_SIZE])
{
    struct judgement judgement;
    const struct charger charger = simulated_charger(relay->simulated);
    input.conversations = relay->conversations;
    engine_judge(&input, &charger, &judgement);
    say(&judgement, out);
    judgement_remember(&judgement, relay->conversations);
    judgement_clear(&judgement);
}

/* One message, by all of them. */
static void judge_row(struct relay *relay, const char *file, int line,
                      const struct row *row, struct decision *out)
{
    char live[LINE_SIZE];
    char other[LINE_SIZE];
    struct envelope envelope = row->envelope;
    const struct engine_input input = {.snapshot = relay->engine.snapshots.snapshot,
                                       .envelope = &envelope,
                                       .conversations = relay->engine.conversations,
                                       .key = &relay->engine.key,
                                       .now_ms = clock_wall_ms(),
                                       .minute_of_week = row->minute};
    envelope.queue_id = "1";
    engine_find_own_headers(&envelope);
    explain(relay, &input, other);
    decide_message(&relay->engine, &envelope, input.now_ms, row->minute, out);
    (void)snprintf(live, sizeof live, "%s %s", out->verdict, out->rule);
    expect(file, line, row, "explain's verdict", live, other);
    replay(relay, input, other);
    expect(file, line, row, "replay's verdict", live, other);
}

static void run_row(struct relay *relay, const char *file, int line,
                    const struct row *row)
{
    struct decision decision;
    char reply[600];
    for (long i = 0; i < row->times; i++) {
        judge_row(relay, file, line, row, &decision);
        if (i + 1 < row->times && decision.action != ACTION_ACCEPT) {
            complain(file, line, "stopped before its last time");
            return;
        }
    }
    reply_format(&decision.reply, reply, sizeof reply);
    expect(file, line, row, "verdict", row->verdict, decision.verdict);
    expect(file, line, row, "rule", row->rule == NULL ? "-" : row->rule, decision.rule);
    expect(file, line, row, "would", row->would == NULL ? "" : row->would,
           decision.would);
    if (row->reply != NULL)
        expect(file, line, row, "reply", row->reply, reply);
    if (row->identity != NULL)
        expect(file, line, row, "identity", row->identity, decision.identity);
    if (row->reach >= 0 && row->reach != decision.reach) {
        char got[100];
        (void)snprintf(got, sizeof got, "%s: reach should be %lld and is %lld", row->name,
                       row->reach, (long long)decision.reach);
        complain(file, line, got);
    }
}

static FILE *open_in_folder(const char *name)
{
    char path[LINE_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    return file;
}

/* "list NAME person1..person250@domain other@domain": a member file; suffix: of its name.
 */
static void write_list(char *line, const char *suffix)
{
    char name[200];
    char *word = next_word(&line);
    (void)snprintf(name, sizeof name, "%s%s", word, suffix);
    FILE *file = open_in_folder(name);
    while ((word = next_word(&line)) != NULL) {
        char prefix[100];
        int from;
        int to;
        char domain[200];
        if (sscanf(word, "%99[a-z]%d..%d@%199s", prefix, &from, &to, domain) == 4) {
            for (int i = from; i <= to; i++)
                (void)fprintf(file, "%s%d@%s\n", prefix, i, domain);
        } else {
            (void)fprintf(file, "%s\n", word);
        }
    }
    (void)fclose(file);
}

static void ignore_report(void *context, enum severity severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)text;
}

/* The lists a day later, with the files of "then". */
static struct snapshot *read_again(struct relay *relay, struct snapshot *first)
{
    char command[200];
    struct snapshot *second;
    struct problems problems = {0};
    (void)snprintf(
        command, sizeof command,
        "cd %s && for f in *.then; do mv \"$f\" \"${f%%.then}\" || exit; done 2>&-",
        folder);
    if (system(command) != 0)
        return first; /* there is none */
    int64_t later_ms = clock_wall_ms() + INT64_C(86400000);
    ck_assert_int_eq(
        snapshot_refresh(first, relay->catalog, later_ms, false, &problems, &second),
        STATUS_OK);
    problems_clear(&problems);
    snapshot_unref(first);
    return second;
}

static bool start(const char *file, struct relay *relay)
{
    struct engine *engine = &relay->engine;
    char path[100];
    struct problems problems = {0};
    struct snapshot *snapshot;
    struct error error;
    struct digest_key key;
    struct store_reporter reporter = {.report = ignore_report};
    (void)snprintf(path, sizeof path, "%s/mailbrake.conf", folder);
    relay->catalog = catalog_new(NULL);
    relay->simulated = simulated_new();
    relay->conversations = conversations_new(CONVERSATIONS_MAX);
    ck_assert_ptr_nonnull(relay->catalog);
    ck_assert_ptr_nonnull(relay->simulated);
    ck_assert_ptr_nonnull(relay->conversations);
    if (snapshot_load(path, relay->catalog, false, &problems, &snapshot) != STATUS_OK) {
        for (size_t i = 0; i < problems.count; i++)
            complain(file, problems.items[i].line, problems.items[i].text);
        problems_clear(&problems);
        return false;
    }
    problems_clear(&problems);
    snapshot = read_again(relay, snapshot);
    ck_assert_int_eq(subject_key_load(snapshot->settings, &key, &error), STATUS_OK);
    ck_assert_int_eq(
        store_open(&snapshot->settings->store, &key, reporter, &engine->store, &error),
        STATUS_OK);
    engine->key = key;
    engine->ledger = ledger_new(engine->store, &key, "relay");
    engine->active_brakes = active_brakes_new(engine->store);
    engine->conversations = conversations_new(CONVERSATIONS_MAX);
    ck_assert_ptr_nonnull(engine->ledger);
    ck_assert_ptr_nonnull(engine->active_brakes);
    engine->timeout_ms = snapshot->settings->store.timeout_ms;
    ck_assert_int_eq(current_snapshot_init(&engine->snapshots), STATUS_OK);
    ck_assert_ptr_null(current_snapshot_swap(&engine->snapshots, snapshot));
    return true;
}

static void stop(struct relay *relay)
{
    active_brakes_free(relay->engine.active_brakes);
    ledger_free(relay->engine.ledger);
    conversations_free(relay->engine.conversations);
    store_close(relay->engine.store);
    current_snapshot_clear(&relay->engine.snapshots);
    simulated_free(relay->simulated);
    conversations_free(relay->conversations);
    catalog_free(relay->catalog);
}

/* The head of a file, up to "---": the configuration, and "list" lines. */
static int write_head(FILE *matrix, const char *store)
{
    char line[LINE_SIZE];
    int number = 0;
    FILE *conf = open_in_folder("mailbrake.conf");
    (void)fprintf(conf, "store = { %s };\n", store);
    while (fgets(line, sizeof line, matrix) != NULL) {
        number++;
        if (strcmp(line, "---\n") == 0)
            break;
        if (strncmp(line, "list ", 5) == 0)
            write_list(line + 5, "");
        else if (strncmp(line, "then ", 5) == 0)
            write_list(line + 5, ".then");
        else
            (void)fputs(line, conf);
    }
    (void)fclose(conf);
    return number;
}

static void run_file(const char *path, const char *store)
{
    char line[LINE_SIZE];
    struct relay relay = {0};
    FILE *matrix = fopen(path, "re");
    ck_assert_ptr_nonnull(matrix);
    int number = write_head(matrix, store);
    if (start(path, &relay)) {
        while (fgets(line, sizeof line, matrix) != NULL) {
            struct row row = {0};
            number++;
            if (line[0] == '#' || line[strspn(line, " \n")] == '\0')
                continue;
            if (parse_row(line, &row))
                run_row(&relay, path, number, &row);
            else
                complain(path, number, "not understood");
        }
    }
    stop(&relay);
    (void)fclose(matrix);
}

/* Runs every file with these settings of the store; empties the server, if any, before
 * each. */
static void run_files(const char *store, const struct server *server)
{
    glob_t files;
    failures = 0;
    ck_assert_int_eq(glob(SOURCE_DIR "/test/matrix/*.txt", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char command[100];
        (void)snprintf(folder, sizeof folder, "/tmp/mailbrake-matrix-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        if (server != NULL)
            server_do(server, "FLUSHALL");
        run_file(files.gl_pathv[i], store);
        (void)snprintf(command, sizeof command, "rm -r %s", folder);
        ck_assert_int_eq(system(command), 0);
    }
    globfree(&files);
    ck_assert_int_eq(failures, 0);
}

START_TEST(matrix_in_memory_holds)
{
    run_files("type = \"memory\";", NULL);
}
END_TEST

START_TEST(matrix_in_redis_holds)
{
    struct server server;
    char store[200];
    server_open(&server, NULL, NULL);
    (void)snprintf(store, sizeof store,
                   "type = \"redis\"; server = \"unix:%s\"; timeout_ms = 5000;",
                   server.socket);
    run_files(store, &server);
    server_close(&server);
}
END_TEST

int main(void)
{
    if (digest_init() != STATUS_OK)
        return 1;
    Suite *suite = suite_create("matrix");
    TCase *cases = tcase_create("matrix");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, matrix_in_memory_holds);
    tcase_add_test(cases, matrix_in_redis_holds);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
