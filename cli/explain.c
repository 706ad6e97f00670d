/* mailbrake explain: judges a hypothetical message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/ip_address.h"
#include "base/output.h"
#include "cli/arguments.h"
#include "cli/explain_live.h"
#include "cli/explanation_print.h"
#include "cli/verbs.h"
#include "engine/explanation.h"
#include "engine/json_output.h"
#include "store/subject_key.h"

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

/* The message as typed; strings are argv's, but for the names of headers. */
struct explain_query {
    struct envelope envelope;
    struct envelope_recipient *recipients;
    struct header *headers; /* names owned */
    size_t header_count;
    const char *hash;    /* an address whose hash is asked for, instead of a verdict */
    const char *purpose; /* for the daemon's audit; NULL: none */
    bool offline;        /* the daemon is not to be asked */
};

static enum status add_recipient(struct explain_query *query, const char *address)
{
    size_t count = query->envelope.recipient_count;
    if (!array_reserve(&query->recipients, count, sizeof *query->recipients))
        return STATUS_NOMEM;
    query->recipients[count] =
        (struct envelope_recipient){.typed = address, .address = address};
    query->envelope.recipients = query->recipients;
    query->envelope.recipient_count = count + 1;
    return STATUS_OK;
}

static enum status add_header(struct explain_query *query, const char *field)
{
    const char *colon = strchr(field, ':');
    if (colon == NULL || colon == field) {
        (void)fputs("mailbrake: --header needs 'Name: value'\n", stderr);
        return STATUS_INVALID;
    }
    if (!array_reserve(&query->headers, query->header_count, sizeof *query->headers))
        return STATUS_NOMEM;
    char *name = strndup(field, (size_t)(colon - field));
    if (name == NULL)
        return STATUS_NOMEM;
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    query->headers[query->header_count++] = (struct header){.name = name, .value = value};
    query->envelope.headers = query->headers;
    query->envelope.header_count = query->header_count;
    return STATUS_OK;
}

static enum status take_client(struct explain_query *query, const char *client)
{
    uint8_t address[16];
    query->envelope.local = strcmp(client, "local") == 0;
    query->envelope.client = client;
    if (query->envelope.local || ip_address_parse(client, address))
        return STATUS_OK;
    (void)fputs("mailbrake: --client needs an IP address or local\n", stderr);
    return STATUS_INVALID;
}

static enum status take_option(void *context, int val, const char *argument)
{
    struct explain_query *query = context;
    switch (val) {
    case OPTION_FROM:
        query->envelope.sender = argument;
        return STATUS_OK;
    case OPTION_TO:
        return add_recipient(query, argument);
    case OPTION_LOGIN:
        query->envelope.login = argument;
        return STATUS_OK;
    case OPTION_CLIENT:
        return take_client(query, argument);
    case OPTION_HEADER:
        return add_header(query, argument);
    case OPTION_HASH:
        query->hash = argument;
        return STATUS_OK;
    case OPTION_OFFLINE:
        query->offline = true;
        return STATUS_OK;
    case OPTION_PURPOSE:
        query->purpose = argument;
        return STATUS_OK;
    default:
        return STATUS_INVALID;
    }
}

static void query_clear(struct explain_query *query)
{
    for (size_t i = 0; i < query->header_count; i++)
        free((void *)(uintptr_t)query->headers[i].name);
    free(query->headers);
    free(query->recipients);
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
                          const struct explain_query *query)
{
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
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
                                       .envelope = &query->envelope,
                                       .now_ms = now_ms,
                                       .minute_of_week = clock_minute_of_week(now_ms)};
    if (explanation_make(&input, NULL, 0, &explanation) == STATUS_OK) {
        result = show(arguments, explanation_json(&explanation));
        explanation_clear(&explanation);
    } else {
        output_complaint("out of memory");
    }
    snapshot_unref(snapshot);
    return result;
}

static int answer(const struct arguments *arguments, const struct explain_query *query)
{
    json_t *json = NULL;
    enum status status =
        query->offline ? STATUS_UNAVAILABLE
                       : explain_live(arguments, query->purpose, &query->envelope, &json);
    if (status == STATUS_UNAVAILABLE)
        return answer_offline(arguments, query);
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
    static const struct option options[] = {
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
    struct explain_query query = {0};
    struct arguments_extra extra = {
        .list = options, .take = take_option, .context = &query};
    struct arguments arguments;
    int result = EXIT_USAGE;
    enum status status = arguments_parse(argc, argv, &extra, &arguments);
    for (int i = 0; status == STATUS_OK && i < arguments.word_count; i++)
        status = add_recipient(&query, arguments.words[i]);
    bool sent = query.envelope.sender != NULL || query.envelope.login != NULL;
    bool whole = query.hash != NULL || (sent && query.envelope.recipient_count > 0);
    if (status == STATUS_INVALID || (status == STATUS_OK && !whole))
        result = usage();
    else if (status == STATUS_OK && query.hash != NULL)
        result = show_hash(&arguments, query.hash);
    else if (status == STATUS_OK)
        result = answer(&arguments, &query);
    query_clear(&query);
    return result;
}
