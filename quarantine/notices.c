/* What is due is decided by times that stand in the incident itself; patching them first
 * is the claim, so a notice that then fails to go out is retried only when the incident
 * grows: better one notice too few than a storm of them. */
#include "quarantine/notices.h"
#include "quarantine/ledger_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "quarantine/helper.h"
#include "quarantine/letter.h"

enum { STORE_MS = 2000, HELPER_MS = 20000, COMMAND_MS = 20000, RETRY_MS = 60000 };

extern char **environ;

struct sending {
    struct notices *notices;
    const struct settings *settings;
    int64_t now_ms;
    struct error *error;
};

static int64_t soon(void)
{
    return clock_monotonic_us() + STORE_MS * INT64_C(1000);
}

static int64_t number(const json_t *incident, const char *name)
{
    return json_integer_value(json_object_get(incident, name));
}

static const char *string(const json_t *incident, const char *name)
{
    const char *value = json_string_value(json_object_get(incident, name));
    return value == NULL ? "" : value;
}

static void add_line(struct text *body, const char *label, const char *value)
{
    text_printf(body, "  %-10s ", label);
    text_add_escaped(body, value, strlen(value), 300);
    text_add_string(body, "\n");
}

static void add_lists(struct text *body, const json_t *incident)
{
    size_t index;
    json_t *list;
    json_array_foreach(json_object_get(incident, "lists"), index, list)
    {
        const char *address = json_string_value(list);
        add_line(body, index == 0 ? "lists" : "", address == NULL ? "" : address);
    }
}

/* What can be pasted into a shell as it is: a stranger wrote it. */
static bool is_shell_word(const char *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool digit = *c >= '0' && *c <= '9';
        if (!letter && !digit && strchr("@._:/+-", *c) == NULL)
            return false;
    }
    return word[0] != '\0' && strlen(word) <= 300;
}

/* For the administrator who is woken by it: what, who, how many, what to type. */
static void describe(const json_t *incident, struct text *body)
{
    const char *id = string(incident, "id");
    int64_t waiting = number(incident, "waiting");
    int64_t deferred = number(incident, "deferred");
    int64_t reach = number(incident, "reach");
    text_printf(body,
                "Mailbrake stopped mail by the rule %s.\n\n"
                "  held       %" PRId64 ", of which %" PRId64 " %s for your decision\n"
                "  refused    %" PRId64 "\n"
                "  deferred   %" PRId64 " (%s again)\n",
                string(incident, "rule"), number(incident, "held"), waiting,
                waiting == 1 ? "waits" : "wait", number(incident, "refused"), deferred,
                deferred == 1 ? "its sender's server tries"
                              : "their senders' servers try");
    if (json_is_integer(json_object_get(incident, "reach")))
        text_printf(body, "  reach      %" PRId64 " %s, of the largest message\n", reach,
                    reach == 1 ? "person" : "persons");
    else
        text_add_string(body, "  reach      not known\n");
    add_line(body, "key", string(incident, "key"));
    add_line(body, "sender", string(incident, "identity"));
    add_lists(body, incident);
    text_printf(body,
                "\nWhat to type on the relay:\n\n"
                "  mailbrake incidents show %s\n"
                "  mailbrake quarantine list --incident %s\n"
                "  mailbrake quarantine release --incident %s     deliver all of it\n"
                "  mailbrake quarantine refuse --incident %s      send all of it back\n",
                id, id, id, id);
    const char *key = string(incident, "identity");
    if (is_shell_word(key))
        text_printf(body, "  mailbrake brake set %s --for 4h     stop this sender\n",
                    key);
}

static enum status mail(const struct sending *sending, const struct letter *letter)
{
    struct text message = {0};
    struct text addresses = {0};
    enum status status = letter_make(letter, sending->notices->seal_key,
                                     &sending->settings->policy.domains, sending->now_ms,
                                     &message, &addresses);
    if (status == STATUS_OK)
        status =
            helper_notice(sending->settings->mta.helper, HELPER_MS,
                          text_string(&addresses), text_string(&message), sending->error);
    else
        (void)error_set(sending->error, status, "out of memory for a notice");
    text_clear(&message);
    text_clear(&addresses);
    return status;
}

static enum status mail_administrators(const struct sending *sending,
                                       const json_t *incident)
{
    const struct settings *settings = sending->settings;
    struct text body = {0};
    struct text subject = {0};
    if (settings->notify.to_count == 0)
        return STATUS_OK;
    describe(incident, &body);
    text_printf(&subject, "Mailbrake: %" PRId64 " held, %" PRId64 " refused by %s",
                number(incident, "held"),
                number(incident, "refused") + number(incident, "deferred"),
                string(incident, "rule"));
    size_t count = settings->notify.to_count;
    struct letter letter = {
        .recipients = (const char *const *)settings->notify.to,
        .recipient_count = count > LETTER_RECIPIENTS_MAX ? LETTER_RECIPIENTS_MAX : count,
        .subject = text_string(&subject),
        .body = text_string(&body),
    };
    enum status status =
        body.failed || subject.failed ? STATUS_NOMEM : mail(sending, &letter);
    text_clear(&body);
    text_clear(&subject);
    return status;
}

/* Writes all of it, as far as the command reads within the time. */
static void feed(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        data += written;
        length -= (size_t)written;
    }
}

/* Waits for a child, and ends it when it takes too long. */
static int await(pid_t child)
{
    int64_t deadline = clock_monotonic_us() + COMMAND_MS * INT64_C(1000);
    int result = 0;
    while (waitpid(child, &result, WNOHANG) == 0) {
        if (clock_left_ms(deadline) == 0) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, &result, 0);
            return -1;
        }
        (void)usleep(20000);
    }
    return result;
}

/* Signals as a program expects them: ours are blocked in every thread. */
static enum status spawn_command(const char *command, int input, pid_t *out_child)
{
    static char shell[] = "/bin/sh";
    static char flag[] = "-c";
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t defaults;
    char *words[] = {shell, flag, (char *)(uintptr_t)command, NULL};
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return STATUS_NOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return STATUS_NOMEM;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes,
                                   POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawn(out_child, shell, &actions, &attributes, words, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? STATUS_OK : STATUS_IO;
}

/* notify.command is the administrator's own line for the shell; the incident is JSON on
 * its standard input and in no argument. */
static enum status run_command(const struct sending *sending, const json_t *incident)
{
    const char *command = sending->settings->notify.command;
    int ends[2];
    pid_t child;
    if (command == NULL || command[0] == '\0')
        return STATUS_OK;
    char *document = json_dumps(incident, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (document == NULL)
        return error_set(sending->error, STATUS_NOMEM, "out of memory for a notice");
    if (pipe2(ends, O_CLOEXEC) != 0) {
        free(document);
        return error_set(sending->error, STATUS_IO, "notify.command: %s",
                         strerror(errno));
    }
    enum status status = spawn_command(command, ends[0], &child);
    (void)close(ends[0]);
    if (status == STATUS_OK)
        feed(ends[1], document, strlen(document)); /* a pipe holds 64 KB, this is less */
    (void)close(ends[1]);
    free(document);
    if (status != STATUS_OK)
        return error_set(sending->error, status, "notify.command could not be started");
    if (await(child) != 0)
        return error_set(sending->error, STATUS_IO, "notify.command failed");
    return STATUS_OK;
}

/* True when what is due is ours to send: nobody has claimed it since it was read. field
 * is what everybody changes who claims it. */
static bool claim(const struct sending *sending, const json_t *incident,
                  const char *field, json_t *patch)
{
    json_t *expected = json_pack("{s:I}", field, (json_int_t)number(incident, field));
    enum status status = STATUS_NOMEM;
    if (patch != NULL && expected != NULL)
        status = ledger_claim_incident(sending->notices->ledger, string(incident, "id"),
                                       expected, patch, soon());
    json_decref(patch);
    json_decref(expected);
    return status == STATUS_OK;
}

/* A notice is due when it opens, and later when it has grown since the last one. */
static bool is_due(const struct sending *sending, const json_t *incident)
{
    int64_t refusals = number(incident, "refused") + number(incident, "deferred");
    int64_t total = number(incident, "held") + refusals;
    if (number(incident, "held") == 0 && refusals < NOTICES_REFUSALS_MIN)
        return false;
    int64_t last_ms = number(incident, "notified_ms");
    return last_ms == 0 ||
           (total > number(incident, "notified_total") &&
            sending->now_ms - last_ms >= sending->settings->notify.min_interval_ms);
}

/* The mail of the last notice did not get away. */
static bool is_unmailed(const struct sending *sending, const json_t *incident)
{
    return number(incident, "unmailed") > 0 &&
           sending->now_ms - number(incident, "notified_ms") >= RETRY_MS;
}

static bool claim_notice(const struct sending *sending, const json_t *incident)
{
    int64_t total = number(incident, "held") + number(incident, "refused") +
                    number(incident, "deferred");
    return claim(sending, incident, "notified_ms",
                 json_pack("{s:I, s:I, s:I, s:I}", "notified_ms",
                           (json_int_t)sending->now_ms, "notified_total",
                           (json_int_t)total, "notices",
                           (json_int_t)number(incident, "notices") + 1, "unmailed",
                           (json_int_t)0));
}

static enum status mail_or_remember(const struct sending *sending, const json_t *incident)
{
    enum status status = mail_administrators(sending, incident);
    if (status == STATUS_OK)
        return status;
    json_t *patch = json_pack("{s:I}", "unmailed", (json_int_t)1);
    if (patch != NULL &&
        ledger_patch_incident(sending->notices->ledger, string(incident, "id"), patch,
                              soon()) != STATUS_OK)
        status = STATUS_UNAVAILABLE;
    json_decref(patch);
    return status;
}

/* Counts in *beyond an incident that this interval has no notice of its own for. */
static enum status notify(const struct sending *sending, const json_t *incident,
                          size_t *beyond)
{
    struct notices *notices = sending->notices;
    if (is_unmailed(sending, incident))
        return claim_notice(sending, incident) ? mail_or_remember(sending, incident)
                                               : STATUS_OK;
    if (!is_due(sending, incident))
        return STATUS_OK;
    bool alone = notices->told < NOTICES_PER_INTERVAL;
    if ((!alone && notices->summed_up) || !claim_notice(sending, incident))
        return STATUS_OK;
    if (!alone) {
        ++*beyond;
        return STATUS_OK;
    }
    notices->told++;
    enum status run = run_command(sending, incident);
    enum status mailed = mail_or_remember(sending, incident);
    return mailed != STATUS_OK ? mailed : run;
}

static enum status sum_up(const struct sending *sending, size_t beyond)
{
    const struct settings *settings = sending->settings;
    struct text body = {0};
    sending->notices->summed_up = true;
    if (settings->notify.to_count == 0)
        return STATUS_OK;
    text_printf(&body,
                "%zu more incident%s opened. To see them all, type on the relay:\n\n"
                "  mailbrake incidents\n"
                "  mailbrake brake set all --for 1h     stop all mail to more than one\n",
                beyond, beyond == 1 ? " has" : "s have");
    size_t count = settings->notify.to_count;
    struct letter letter = {
        .recipients = (const char *const *)settings->notify.to,
        .recipient_count = count > LETTER_RECIPIENTS_MAX ? LETTER_RECIPIENTS_MAX : count,
        .subject = "Mailbrake: many more incidents",
        .body = text_string(&body),
    };
    enum status status = body.failed ? STATUS_NOMEM : mail(sending, &letter);
    text_clear(&body);
    return status;
}

/* 250 looks delivered: whoever sent it must know that it waits. */
static enum status tell_sender(const struct sending *sending, const json_t *incident)
{
    const char *sender = string(incident, "sender");
    if (!sending->settings->notify.tell_sender || number(incident, "held") == 0 ||
        sender[0] == '\0' || !json_is_true(json_object_get(incident, "tell")) ||
        number(incident, "told_ms") > 0)
        return STATUS_OK;
    if (!claim(sending, incident, "told_ms",
               json_pack("{s:I, s:b}", "told_ms", (json_int_t)sending->now_ms,
                         "sender_told", true)))
        return STATUS_OK;
    struct text body = {0};
    text_add_string(&body,
                    "Your mail has not been delivered yet. It reaches so many people, "
                    "or so much was\nsent at once, that your mail administrators "
                    "look at it first.\n\nIt was addressed to:\n\n");
    add_lists(&body, incident);
    text_printf(&body,
                "\nYou need not send it again. If it was sent by mistake, tell your "
                "administrators\nand name the incident %s.\n",
                string(incident, "id"));
    const char *recipients[] = {sender};
    struct letter letter = {
        .recipients = recipients,
        .recipient_count = 1,
        .subject = "Your mail is held for review",
        .body = text_string(&body),
    };
    enum status status = body.failed ? STATUS_NOMEM : mail(sending, &letter);
    text_clear(&body);
    return status;
}

enum status notices_send(struct notices *notices, const struct settings *settings,
                         int64_t now_ms, struct error *error)
{
    struct sending sending = {notices, settings, now_ms, error};
    struct ledger_list *incidents = NULL;
    json_t *incident;
    size_t beyond = 0;
    enum status failed = STATUS_OK;
    if (now_ms - notices->since_ms >= settings->notify.min_interval_ms) {
        notices->since_ms = now_ms;
        notices->told = 0;
        notices->summed_up = false;
    }
    enum status status = ledger_list_incidents(notices->ledger, soon(), &incidents);
    if (status == STATUS_UNAVAILABLE)
        return STATUS_OK; /* the store says itself that it is away */
    if (status != STATUS_OK)
        return error_set(error, status, "the incidents can't be read");
    while (ledger_list_next(incidents, soon(), &incident) == STATUS_OK) {
        if (json_is_true(json_object_get(incident, "open"))) {
            enum status notified = notify(&sending, incident, &beyond);
            enum status told = tell_sender(&sending, incident);
            if (notified != STATUS_OK || told != STATUS_OK)
                failed = notified != STATUS_OK ? notified : told;
        }
        json_decref(incident);
    }
    ledger_list_free(incidents);
    if (beyond > 0) {
        enum status summed = sum_up(&sending, beyond);
        failed = summed != STATUS_OK ? summed : failed;
    }
    return failed;
}
