/* milter-replay SCENARIO CONFIG SOCKET CLOCK [NAME=VALUE ...]
 * milter-replay --lists FOLDER SCENARIO [NAME=VALUE ...]
 *
 * Plays a scenario as an MTA would, against the mailbraked at SOCKET, and beside it
 * through the engine of `mailbrake replay`: each message must meet the same fate by the
 * same rule. CLOCK is the file that the servers' clocks show (set_clock.c). Prints one
 * JSON object.
 *
 * With --lists it writes the members of the scenario's lists into a folder, a file each,
 * and prints the entries of lists for mailbrake.conf. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay/replay.h"
#include "replay/scenario_lists.h"
#include "support/mta.h"

enum { TIMEOUT_MS = 30000 };

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "milter-replay: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

static enum status load(const char *path, char *const *given, size_t count,
                        struct scenario *out)
{
    struct problems problems = {0};
    const struct scenario_options options = {.given = (const char *const *)given,
                                             .given_count = count};
    enum status status = scenario_load(path, &options, out, &problems);
    for (size_t i = 0; i < problems.count; i++)
        (void)complain(path, problems.items[i].text);
    problems_clear(&problems);
    return status;
}

/* ---- lists ---- */

struct lists {
    const char *folder;
    bool written; /* one at least */
};

static enum status write_list(void *context, const struct scenario_lists_item *item,
                              struct error *error)
{
    struct lists *lists = context;
    char path[ADDRESS_SIZE + 512];
    struct text member = {0};
    enum status status = STATUS_OK;
    (void)snprintf(path, sizeof path, "%s/%s.txt", lists->folder, item->address.text);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return STATUS_IO;
    (void)printf("%s{ address = \"%s\"; file = \"%s\"; }\n", lists->written ? ", " : "",
                 item->address.text, path);
    lists->written = true;
    for (int64_t n = 1; n <= item->list->size && status == STATUS_OK; n++) {
        status = scenario_lists_member(item, n, &member, error);
        if (status == STATUS_OK && fprintf(file, "%s\n", text_string(&member)) < 0)
            status = STATUS_IO;
    }
    text_clear(&member);
    return fclose(file) == 0 ? status : STATUS_IO;
}

static int write_lists(const char *folder, const char *path, char *const *given,
                       size_t count)
{
    struct scenario scenario;
    struct problems problems = {0};
    struct lists lists = {.folder = folder};
    if (load(path, given, count, &scenario) != STATUS_OK)
        return EXIT_FAILURE;
    enum status status = scenario_lists_each(&scenario, write_list, &lists, &problems);
    problems_clear(&problems);
    scenario_clear(&scenario);
    return status == STATUS_OK ? EXIT_SUCCESS : complain(folder, strerror(errno));
}

/* ---- one message, as an MTA hands it over ---- */

enum { LINES = 4 };

/* A connection of one client. */
struct line {
    struct mta *mta;
    int64_t opened_ms; /* by the clock that is set; libmilter closes what is idle */
    char client[64];   /* "": not open */
};

struct link {
    struct line lines[LINES];
    size_t oldest;
    struct mta *mta; /* of the line in use */
    const char *socket;
    _Atomic int64_t *clock_us;
    struct error error;
    json_t *differences;
    int64_t messages;
};

static const char *bracketed(const char *address, char out[ADDRESS_SIZE + 2])
{
    (void)snprintf(out, ADDRESS_SIZE + 2, "<%s>", address);
    return out;
}

/* The line of a client, or the one that was opened first. */
static struct line *find_line(struct link *link, const char *client)
{
    for (size_t i = 0; i < LINES; i++) {
        if (strcmp(link->lines[i].client, client) == 0)
            return &link->lines[i];
    }
    return &link->lines[link->oldest++ % LINES];
}

/* A connection for each client, and a new one each minute. */
static enum status connect_as(struct link *link, const struct generated_message *message)
{
    const struct envelope *envelope = &message->envelope;
    struct line *line = find_line(link, envelope->client);
    struct mta_reply reply;
    link->mta = line->mta;
    if (strcmp(line->client, envelope->client) == 0 &&
        message->at_ms - line->opened_ms < 60000)
        return STATUS_OK;
    enum status status = mta_open(line->mta, link->socket, &link->error);
    if (status == STATUS_OK)
        status = mta_negotiate(line->mta, MTA_ACTIONS, MTA_STEPS, &link->error);
    if (status == STATUS_OK)
        status = mta_connect(line->mta, envelope->local ? "localhost" : "client.example",
                             envelope->local ? "127.0.0.1" : envelope->client, &reply,
                             &link->error);
    (void)snprintf(line->client, sizeof line->client, "%s", envelope->client);
    line->opened_ms = message->at_ms;
    return status;
}

static enum status send_envelope(struct link *link, const struct envelope *envelope)
{
    char text[ADDRESS_SIZE + 2];
    struct mta_reply reply;
    const char *macros[7] = {"{mail_addr}", envelope->sender};
    size_t count = 2;
    if (!envelope->local) { /* Postfix has none for sendmail(1) */
        macros[count++] = "{mail_mailer}";
        macros[count++] = "smtp";
    }
    if (envelope->login != NULL) {
        macros[count++] = "{auth_authen}";
        macros[count++] = envelope->login;
    }
    const char *const mail[] = {bracketed(envelope->sender, text), NULL};
    enum status status = mta_macros(link->mta, SMFIC_MAIL, macros, &link->error);
    if (status == STATUS_OK)
        status = mta_strings(link->mta, SMFIC_MAIL, mail, &reply, &link->error);
    for (size_t i = 0; i < envelope->recipient_count && status == STATUS_OK; i++) {
        const char *address = envelope->recipients[i].address;
        const char *const pairs[] = {"{rcpt_addr}", address, "{rcpt_mailer}", "smtp",
                                     NULL};
        const char *const rcpt[] = {bracketed(address, text), NULL};
        status = mta_macros(link->mta, SMFIC_RCPT, pairs, &link->error);
        if (status == STATUS_OK)
            status = mta_strings(link->mta, SMFIC_RCPT, rcpt, &reply, &link->error);
    }
    return status;
}

static enum status send_content(struct link *link, const struct envelope *envelope,
                                int64_t number, struct mta_reply *out)
{
    char id[24];
    struct mta_reply reply;
    enum status status =
        mta_command(link->mta, SMFIC_DATA, NULL, 0, &reply, &link->error);
    for (size_t i = 0; i < envelope->header_count && status == STATUS_OK; i++) {
        const char *const pair[] = {envelope->headers[i].name, envelope->headers[i].value,
                                    NULL};
        status = mta_strings(link->mta, SMFIC_HEADER, pair, &reply, &link->error);
    }
    if (status == STATUS_OK)
        status = mta_command(link->mta, SMFIC_EOH, NULL, 0, &reply, &link->error);
    (void)snprintf(id, sizeof id, "%012llX", (unsigned long long)number);
    const char *const macros[] = {"i", id, NULL};
    if (status == STATUS_OK)
        status = mta_macros(link->mta, SMFIC_BODYEOB, macros, &link->error);
    if (status == STATUS_OK)
        status = mta_command(link->mta, SMFIC_BODYEOB, NULL, 0, out, &link->error);
    return status;
}

/* ---- what became of it ---- */

/* "accepted", "held RULE", "refused RULE", "deferred RULE": as the MTA was told. */
static void describe_told(const struct mta *mta, const struct mta_reply *reply,
                          char out[200])
{
    const char *hold_header = strstr(reply->text, "[mailbrake ");
    const char *fate = reply->text[0] == '5' ? "refused" : "deferred";
    for (size_t i = 0; i < mta_change_count(mta); i++) {
        const struct mta_change *change = mta_change_at(mta, i);
        if (change->kind != SMFIR_QUARANTINE)
            continue;
        const char *rule = change->value + strcspn(change->value, " ");
        rule += strspn(rule, " ");
        (void)snprintf(out, 200, "held %.*s", (int)strcspn(rule, ","), rule);
        return;
    }
    if (reply->kind != SMFIR_REPLYCODE) {
        (void)snprintf(out, 200, "%s",
                       reply->kind == SMFIR_CONTINUE || reply->kind == SMFIR_ACCEPT
                           ? "accepted"
                           : mta_kind_name(reply->kind));
        return;
    }
    hold_header = hold_header == NULL ? "" : hold_header + strlen("[mailbrake ");
    (void)snprintf(out, 200, "%s %.*s", fate, (int)strcspn(hold_header, " ]"),
                   hold_header);
}

static void describe_judged(const struct replay_outcome *outcome, char out[200])
{
    const struct verdict *verdict = outcome->verdict;
    if (verdict->action == ACTION_ACCEPT)
        (void)snprintf(out, 200, "accepted");
    else
        (void)snprintf(out, 200, "%s %s", report_action_name(verdict->action),
                       verdict->rule == NULL ? "" : verdict->rule->name);
}

static enum status play(void *context, const struct replay_outcome *outcome)
{
    struct link *link = context;
    const struct generated_message *message = outcome->message;
    struct mta_reply reply = {0};
    char told[200];
    char judged[200];
    *link->clock_us = message->at_ms * 1000;
    enum status status = connect_as(link, message);
    if (status == STATUS_OK)
        status = send_envelope(link, &message->envelope);
    if (status == STATUS_OK)
        status = send_content(link, &message->envelope, message->number, &reply);
    if (status != STATUS_OK)
        return status;
    link->messages++;
    describe_told(link->mta, &reply, told);
    describe_judged(outcome, judged);
    if (strcmp(told, judged) != 0 && json_array_size(link->differences) < 20)
        (void)json_array_append_new(
            link->differences,
            json_pack("{s:I, s:s, s:s, s:s}", "number", (json_int_t)message->number,
                      "engine", judged, "milter", told, "text", reply.text));
    return STATUS_OK;
}

/* ---- all of them ---- */

static bool map_clock(const char *path, struct link *link)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map =
        mmap(NULL, sizeof *link->clock_us, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        (void)close(fd);
    if (map == MAP_FAILED)
        return false;
    link->clock_us = map;
    return true;
}

static json_t *totals(const struct report *report)
{
    json_t *object = json_object();
    for (size_t i = 0; i < REPORT_ACTIONS; i++)
        (void)json_object_set_new(
            object, report_action_name((enum action)i),
            json_integer(report->tags[SCENARIO_ALL].by[i].messages));
    return object;
}

static int print(const struct report *report, const struct link *link)
{
    bool met = true;
    for (size_t i = 0; i < report->scenario->expectation_count; i++)
        met = met && report->checks[i].met;
    json_t *out =
        json_pack("{s:I, s:o, s:b, s:O}", "messages", (json_int_t)link->messages,
                  "totals", totals(report), "met", met, "differences", link->differences);
    bool printed = json_dumpf(out, stdout, 0) == 0;
    json_decref(out);
    return printed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int replay(const struct scenario *scenario, const char *config, struct link *link)
{
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    struct report report;
    struct simulated *simulated = simulated_new();
    if (simulated == NULL ||
        replay_load(config, scenario, &problems, &snapshot) != STATUS_OK)
        return complain(config, "can't be loaded");
    problems_clear(&problems);
    const struct charger charger = simulated_charger(simulated);
    const struct replay all = {.input = {.snapshot = snapshot},
                               .scenario = scenario,
                               .charger = &charger,
                               .each = play,
                               .context = link};
    int result = EXIT_FAILURE;
    if (replay_run(&all, &report, &link->error) == STATUS_OK) {
        result = print(&report, link);
        report_clear(&report);
    } else {
        (void)complain(scenario->file, link->error.text);
    }
    simulated_free(simulated);
    snapshot_unref(snapshot);
    return result;
}

static int run(char **argv, size_t count)
{
    struct scenario scenario;
    struct link link = {.socket = argv[3], .differences = json_array()};
    bool ready = link.differences != NULL;
    for (size_t i = 0; i < LINES; i++) {
        link.lines[i].mta = mta_new(TIMEOUT_MS);
        ready = ready && link.lines[i].mta != NULL;
    }
    if (!ready)
        return complain("mta", "out of memory");
    if (!map_clock(argv[4], &link))
        return complain(argv[4], strerror(errno));
    if (load(argv[1], argv + 5, count - 5, &scenario) != STATUS_OK)
        return EXIT_FAILURE;
    int result = replay(&scenario, argv[2], &link);
    scenario_clear(&scenario);
    json_decref(link.differences);
    for (size_t i = 0; i < LINES; i++)
        mta_free(link.lines[i].mta);
    return result;
}

int main(int argc, char **argv)
{
    if (digest_init() != STATUS_OK)
        return EXIT_FAILURE;
    if (argc >= 4 && strcmp(argv[1], "--lists") == 0)
        return write_lists(argv[2], argv[3], argv + 4, (size_t)argc - 4);
    if (argc >= 5)
        return run(argv, (size_t)argc);
    (void)fputs("usage: milter-replay SCENARIO CONFIG SOCKET CLOCK [NAME=VALUE ...]\n"
                "       milter-replay --lists FOLDER SCENARIO [NAME=VALUE ...]\n",
                stderr);
    return 2;
}
