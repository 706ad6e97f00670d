/* mailbrake explain: judges a hypothetical message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip_address.h"
#include "base/output.h"
#include "cli/arguments.h"
#include "cli/explanation_print.h"
#include "cli/page.h"
#include "cli/remote.h"
#include "cli/verbs.h"
#include "engine/explain_query.h"
#include "engine/explanation.h"
#include "engine/json_output.h"
#include "store/subject_key.h"

enum { TIMEOUT_S = 15 };

enum {
    OPTION_FROM = 256,
    OPTION_TO,
    OPTION_LOGIN,
    OPTION_CLIENT,
    OPTION_HEADER,
    OPTION_HASH,
    OPTION_OFFLINE,
    OPTION_PURPOSE,
};

struct explain_options {
    json_t *body;        /* the message, as for POST /v1/explain */
    const char *hash;    /* an address whose hash is asked for, instead of a verdict */
    const char *purpose; /* for the daemon's audit; NULL: none */
    bool offline;        /* the daemon is not to be asked */
};

static enum status done(int failed)
{
    return failed == 0 ? STATUS_OK : STATUS_NOMEM;
}

static enum status set(struct explain_options *options, const char *name,
                       const char *value)
{
    return done(json_object_set_new(options->body, name, json_output_string(value)));
}

static enum status add_recipient(struct explain_options *options, const char *address)
{
    return done(json_array_append_new(json_object_get(options->body, "to"),
                                      json_output_string(address)));
}

static enum status add_header(struct explain_options *options, const char *field)
{
    const char *colon = strchr(field, ':');
    if (colon == NULL || colon == field) {
        output_complaint("--header needs 'Name: value'");
        return STATUS_INVALID;
    }
    char *name = strndup(field, (size_t)(colon - field));
    if (name == NULL)
        return STATUS_NOMEM;
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    json_t *header = json_pack("{s:o, s:o}", "name", json_output_string(name), "value",
                               json_output_string(value));
    free(name);
    return done(json_array_append_new(json_object_get(options->body, "headers"), header));
}

static enum status set_client(struct explain_options *options, const char *client)
{
    if (strcmp(client, "local") == 0 || ip_address_parse(client, (uint8_t[16]){0}))
        return set(options, "client", client);
    output_complaint("--client needs an IP address or local");
    return STATUS_INVALID;
}

static enum status take_option(void *context, int val, const char *argument)
{
    struct explain_options *options = context;
    switch (val) {
    case OPTION_FROM:
        return set(options, "from", argument);
    case OPTION_TO:
        return add_recipient(options, argument);
    case OPTION_LOGIN:
        return set(options, "login", argument);
    case OPTION_CLIENT:
        return set_client(options, argument);
    case OPTION_HEADER:
        return add_header(options, argument);
    case OPTION_HASH:
        options->hash = argument;
        return STATUS_OK;
    case OPTION_OFFLINE:
        options->offline = true;
        return STATUS_OK;
    case OPTION_PURPOSE:
        options->purpose = argument;
        return STATUS_OK;
    default:
        return STATUS_INVALID;
    }
}

/* Takes the document over; NULL is without memory. */
static int show(const struct arguments *arguments, json_t *json)
{
    if (json == NULL || arguments->json)
        return json_output_print(json) ? EXIT_DONE : EXIT_FAILED;
    explanation_print(json);
    json_decref(json);
    return EXIT_DONE;
}

/* Judges in this process, by the configuration on disk and with full buckets. */
static int answer_offline(const struct arguments *arguments,
                          const struct explain_options *options)
{
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    struct explain_query query;
    struct explanation explanation;
    int result = EXIT_FAILED;
    enum status status =
        snapshot_load(arguments->config, NULL, false, &problems, &snapshot);
    output_problems(&problems);
    problems_clear(&problems);
    if (status != STATUS_OK)
        return EXIT_FAILED;
    int64_t now_ms = clock_wall_ms();
    const struct engine_input input = {.snapshot = snapshot,
                                       .envelope = &query.envelope,
                                       .now_ms = now_ms,
                                       .minute_of_week = clock_minute_of_week(now_ms)};
    const char *wrong = explain_query_read(options->body, &query);
    if (wrong == NULL && explanation_make(&input, NULL, 0, &explanation) == STATUS_OK) {
        result = show(arguments, explanation_json(&explanation));
        explanation_clear(&explanation);
    } else {
        output_complaint(wrong == NULL ? "out of memory" : wrong);
    }
    explain_query_clear(&query);
    snapshot_unref(snapshot);
    return result;
}

/* The daemon runs the file that was named. */
static bool is_same(const struct arguments *arguments, const json_t *answer)
{
    char *ours = realpath(arguments->config, NULL);
    bool same = ours != NULL && strcmp(ours, page_text(answer, "configuration")) == 0;
    free(ours);
    return arguments->socket != NULL || same;
}

static enum status ask_daemon(const struct arguments *arguments, struct remote *remote,
                              const struct remote_call *call, json_t **out)
{
    struct error error = {0};
    json_t *answer = NULL;
    enum status status = remote_ask(remote, call, &answer, &error);
    if (status == STATUS_OK && !is_same(arguments, answer))
        status = STATUS_UNAVAILABLE;
    else if (status == STATUS_INVALID)
        output_complaint(page_text(answer, "error"));
    else if (status != STATUS_OK && arguments->socket != NULL)
        output_complaint(error.text);
    if (status == STATUS_OK)
        *out = json_incref(answer);
    json_decref(answer);
    if (status == STATUS_OK || arguments->socket == NULL)
        return status == STATUS_OK ? status : STATUS_UNAVAILABLE;
    return STATUS_INVALID;
}

/* The daemon's explanation. UNAVAILABLE: no daemon answers, or it runs another
 * configuration than the arguments name (to try out a file, its own rules are needed), or
 * it denies access (after a message on stderr). With --socket all of these are INVALID,
 * after a message on stderr. */
static enum status explain_live(const struct arguments *arguments,
                                const struct explain_options *options, json_t **out)
{
    struct problems problems = {0};
    char *socket = remote_socket(arguments, &problems);
    struct remote *remote = socket == NULL ? NULL : remote_new(socket);
    enum status status = STATUS_UNAVAILABLE;
    const struct remote_call call = {.method = "POST",
                                     .path = "/v1/explain",
                                     .purpose = options->purpose,
                                     .body = options->body,
                                     .timeout_s = TIMEOUT_S};
    if (remote != NULL)
        status = ask_daemon(arguments, remote, &call, out);
    remote_free(remote);
    free(socket);
    problems_clear(&problems); /* explain without the daemon reports them */
    return status;
}

static int answer(const struct arguments *arguments,
                  const struct explain_options *options)
{
    json_t *json = NULL;
    enum status status =
        options->offline ? STATUS_UNAVAILABLE : explain_live(arguments, options, &json);
    if (status == STATUS_UNAVAILABLE)
        return answer_offline(arguments, options);
    return status == STATUS_OK ? show(arguments, json) : EXIT_FAILED;
}

/* Prints an address as the log shows it when privacy.addresses is "hashed". */
static int show_hash(const struct arguments *arguments, const char *typed)
{
    bool shown = true;
    struct problems problems = {0};
    struct settings settings;
    struct digest_key key;
    struct error error = {0};
    char hash[DIGEST_HEX_SIZE];
    struct address address;
    enum status status = settings_load(arguments->config, &settings, &problems);
    if (status != STATUS_OK) {
        output_problems(&problems);
        problems_clear(&problems);
        return EXIT_FAILED;
    }
    status = subject_key_load(&settings, &key, &error);
    if (status == STATUS_OK)
        status = address_parse(typed, strlen(typed), &address);
    if (status == STATUS_OK && domains_first(&settings.policy.domains) != NULL &&
        strchr(typed, '@') == NULL && !ip_address_parse(typed, (uint8_t[16]){0}))
        status = address_qualify(&address, domains_first(&settings.policy.domains));
    if (status == STATUS_OK) {
        digest_hex(&key, address.text, address.length, hash);
        if (arguments->json)
            shown = json_output_print(json_pack("{s:s}", "hash", hash));
        else
            (void)puts(hash);
    } else {
        (void)fprintf(stderr, "mailbrake: %s%s%s\n", error.file,
                      error.file[0] == '\0' ? "" : ": ",
                      error.text[0] == '\0' ? "that is too long" : error.text);
    }
    problems_clear(&problems);
    settings_clear(&settings);
    return status == STATUS_OK && shown ? EXIT_DONE : EXIT_FAILED;
}

static int usage(void)
{
    return arguments_usage(
        "usage: mailbrake explain [--from A] [--login L] --to B... [--client IP]\n"
        "                         [--header 'Name: value'] [--offline]\n"
        "       mailbrake explain --hash A\n"
        "--from \"\" is the null sender; without --from, the login is the sender\n");
}

int verb_explain(int argc, char **argv)
{
    static const struct option list[] = {
        {"from", required_argument, NULL, OPTION_FROM},
        {"to", required_argument, NULL, OPTION_TO},
        {"login", required_argument, NULL, OPTION_LOGIN},
        {"client", required_argument, NULL, OPTION_CLIENT},
        {"header", required_argument, NULL, OPTION_HEADER},
        {"hash", required_argument, NULL, OPTION_HASH},
        {"offline", no_argument, NULL, OPTION_OFFLINE},
        {"purpose", required_argument, NULL, OPTION_PURPOSE},
        {0},
    };
    struct explain_options options = {.body = json_pack("{s:[], s:[]}", "to", "headers")};
    struct arguments_extra extra = {
        .list = list, .take = take_option, .context = &options};
    struct arguments arguments;
    int result = EXIT_USAGE;
    enum status status = arguments_parse(argc, argv, &extra, &arguments);
    for (int i = 0; status == STATUS_OK && i < arguments.word_count; i++)
        status = add_recipient(&options, arguments.words[i]);
    bool sent = json_object_get(options.body, "from") != NULL ||
                json_object_get(options.body, "login") != NULL;
    bool whole = options.hash != NULL ||
                 (sent && json_array_size(json_object_get(options.body, "to")) > 0);
    if (status == STATUS_INVALID || (status == STATUS_OK && !whole))
        result = usage();
    else if (status == STATUS_OK && options.hash != NULL)
        result = show_hash(&arguments, options.hash);
    else if (status == STATUS_OK)
        result = answer(&arguments, &options);
    json_decref(options.body);
    return result;
}
