/* milter-client SOCKET [TIMEOUT_MS]: an MTA by hand. Reads steps from stdin, one a line,
 * and prints one JSON object a line with what came back. Steps, in any order:
 *
 *   open | close | sleep MS | raw HEX | wait_closed
 *   negotiate [ACTIONS [STEPS]]
 *   macro COMMAND NAME VALUE ...       COMMAND as on the wire: C H M R T N E
 *   connect HOST [ADDRESS] | helo NAME | mail ARG ... | rcpt ARG ... | data
 *   header NAME VALUE | eoh | body TEXT | eob | abort | quit | quit_nc
 *
 * A step that fails has "error"; the steps after it are still tried. Exit 2 for a script
 * that can't be read. */
#include <errno.h>
#include <jansson.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "support/mta.h"
#include "support/script_line.h"

struct client {
    struct mta *mta;
    const char *socket;
    size_t count; /* words of the line */
    char **words;
    struct mta_reply reply;
    json_t *out; /* the line's answer */
};

static json_t *printable(const char *value)
{
    struct text text = {0};
    text_add_escaped(&text, value, strlen(value), 4096);
    json_t *string = json_string(text_string(&text));
    text_clear(&text);
    return string;
}

static const char *const *rest(const struct client *client)
{
    return (const char *const *)client->words + 1;
}

static enum status do_open(struct client *client, struct error *error)
{
    return mta_open(client->mta, client->socket, error);
}

static enum status do_close(struct client *client, struct error *error)
{
    (void)error;
    mta_close(client->mta);
    return STATUS_OK;
}

static enum status do_wait_closed(struct client *client, struct error *error)
{
    return mta_wait_closed(client->mta, error);
}

static enum status do_sleep(struct client *client, struct error *error)
{
    long ms = client->count > 1 ? strtol(client->words[1], NULL, 10) : 0;
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    if (nanosleep(&span, NULL) != 0)
        return error_set(error, STATUS_IO, "nanosleep: %s", strerror(errno));
    return STATUS_OK;
}

static enum status do_raw(struct client *client, struct error *error)
{
    const char *hex = client->count > 1 ? client->words[1] : "";
    struct text bytes = {0};
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        char byte = (char)strtoul(digits, NULL, 16);
        text_add(&bytes, &byte, 1);
    }
    enum status status =
        bytes.failed ? error_set(error, STATUS_NOMEM, "out of memory")
                     : mta_raw(client->mta, text_string(&bytes), bytes.length, error);
    text_clear(&bytes);
    return status;
}

static uint32_t number_or(const struct client *client, size_t i, uint32_t fallback)
{
    return client->count > i ? (uint32_t)strtoul(client->words[i], NULL, 0) : fallback;
}

static enum status do_negotiate(struct client *client, struct error *error)
{
    static const char *const stages[MTA_STAGES] = {"connect", "helo", "mail", "rcpt",
                                                   "data",    "eom",  "eoh"};
    enum status status = mta_negotiate(client->mta, number_or(client, 1, MTA_ACTIONS),
                                       number_or(client, 2, MTA_STEPS), error);
    if (status != STATUS_OK)
        return status;
    const struct mta_terms *terms = mta_terms(client->mta);
    json_object_set_new(client->out, "version", json_integer(terms->version));
    json_object_set_new(client->out, "actions", json_integer(terms->actions));
    json_object_set_new(client->out, "steps", json_integer(terms->steps));
    json_t *symbols = json_object();
    for (size_t i = 0; i < MTA_STAGES; i++) {
        if (terms->has_symbols[i])
            json_object_set_new(symbols, stages[i], printable(terms->symbols[i]));
    }
    json_object_set_new(client->out, "symbols", symbols);
    return STATUS_OK;
}

static enum status do_macro(struct client *client, struct error *error)
{
    if (client->count < 2)
        return error_set(error, STATUS_INVALID, "macro of which command?");
    return mta_macros(client->mta, client->words[1][0],
                      (const char *const *)client->words + 2, error);
}

static enum status do_connect(struct client *client, struct error *error)
{
    return mta_connect(client->mta, client->count > 1 ? client->words[1] : "localhost",
                       client->count > 2 ? client->words[2] : NULL, &client->reply,
                       error);
}

static const struct {
    const char *word;
    char command; /* sent with the words as data, or */
    enum status (*step)(struct client *client, struct error *error);
} steps[] = {
    {"open", 0, do_open},
    {"close", 0, do_close},
    {"wait_closed", 0, do_wait_closed},
    {"sleep", 0, do_sleep},
    {"raw", 0, do_raw},
    {"negotiate", 0, do_negotiate},
    {"macro", 0, do_macro},
    {"connect", 0, do_connect},
    {"helo", SMFIC_HELO, NULL},
    {"mail", SMFIC_MAIL, NULL},
    {"rcpt", SMFIC_RCPT, NULL},
    {"data", SMFIC_DATA, NULL},
    {"header", SMFIC_HEADER, NULL},
    {"eoh", SMFIC_EOH, NULL},
    {"body", SMFIC_BODY, NULL},
    {"eob", SMFIC_BODYEOB, NULL},
    {"abort", SMFIC_ABORT, NULL},
    {"quit", SMFIC_QUIT, NULL},
    {"quit_nc", SMFIC_QUIT_NC, NULL},
};

static enum status take_step(struct client *client, struct error *error)
{
    size_t i = 0;
    while (i < sizeof steps / sizeof steps[0] &&
           strcmp(steps[i].word, client->words[0]) != 0)
        i++;
    if (i == sizeof steps / sizeof steps[0])
        return error_set(error, STATUS_NOT_FOUND, "no such step: %s", client->words[0]);
    enum status status = steps[i].step != NULL
                             ? steps[i].step(client, error)
                             : mta_strings(client->mta, steps[i].command, rest(client),
                                           &client->reply, error);
    return status == STATUS_OK ? mta_flush(client->mta, error) : status;
}

static json_t *changes(const struct mta *mta)
{
    json_t *all = json_array();
    for (size_t i = 0; i < mta_change_count(mta); i++) {
        const struct mta_change *change = mta_change_at(mta, i);
        json_t *one = json_object();
        json_object_set_new(one, "kind", json_string(mta_kind_name(change->kind)));
        json_object_set_new(one, "index", json_integer(change->index));
        json_object_set_new(one, "name", printable(change->name));
        json_object_set_new(one, "value", printable(change->value));
        json_array_append_new(all, one);
    }
    return all;
}

/* False when the script itself is wrong. */
static bool run_line(struct client *client)
{
    struct error error = {0};
    client->reply = (struct mta_reply){0};
    client->out = json_object();
    json_object_set_new(client->out, "step", printable(client->words[0]));
    int64_t started_us = clock_monotonic_us();
    enum status status = take_step(client, &error);
    json_object_set_new(client->out, "us",
                        json_integer(clock_monotonic_us() - started_us));
    json_object_set_new(client->out, "reply",
                        json_string(mta_kind_name(client->reply.kind)));
    json_object_set_new(client->out, "text", printable(client->reply.text));
    json_object_set_new(client->out, "replies", json_integer(mta_replies(client->mta)));
    json_object_set_new(client->out, "changes", changes(client->mta));
    if (status != STATUS_OK)
        json_object_set_new(client->out, "error", printable(error.text));
    bool printed = json_dumpf(client->out, stdout, JSON_COMPACT) == 0;
    json_decref(client->out);
    (void)putchar('\n');
    (void)fflush(stdout);
    return printed && status != STATUS_NOT_FOUND;
}

static int run(struct client *client)
{
    char *line = NULL, *words[SCRIPT_WORDS_MAX + 1];
    size_t capacity = 0;
    int result = EXIT_SUCCESS;
    client->words = words;
    while (result == EXIT_SUCCESS && getline(&line, &capacity, stdin) >= 0) {
        struct error error = {0};
        if (script_line_split(line, words, &client->count, &error) != STATUS_OK) {
            (void)fprintf(stderr, "milter-client: %s\n", error.text);
            result = 2;
        } else if (client->count > 0 && !run_line(client)) {
            result = 2;
        }
    }
    free(line);
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: milter-client SOCKET [TIMEOUT_MS] < SCRIPT\n");
        return 2;
    }
    int timeout_ms = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5000;
    struct client client = {.mta = mta_new(timeout_ms), .socket = argv[1]};
    if (client.mta == NULL)
        return EXIT_FAILURE;
    int result = run(&client);
    mta_free(client.mta);
    return result;
}
