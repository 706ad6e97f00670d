/* A ledger, and an MTA's queue behind a helper that a thread plays. */
#ifndef TEST_ACTIONS_FIXTURE_H
#define TEST_ACTIONS_FIXTURE_H

#include "quarantine/actions.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "quarantine/record.h"
#include "store/store.h"

#ifndef QUEUE_SIZE
#define QUEUE_SIZE 32
#endif

struct mail {
    char id[24], queue[16], sender[64], header[200];
    char login[64], client[64];
};

enum { ARRIVED_S = 1753470153 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the queue and orders */
static struct mail queue[QUEUE_SIZE];
static size_t queued;
static char order[70000]; /* the last batch that was no look, or order that was no list */
static atomic_int orders, batches;
static atomic_bool fails, stop, hangs;
static atomic_bool blind; /* it can't read recipients */
static char path[100];
static int listener;
static pthread_t thread;
static char helper_path[100];
static struct settings settings;
static struct store *store;
static struct digest_key key;
static struct ledger *ledger;
static struct actions *actions;
static struct error error;

/* ---- the queue ---- */

/* Most often the one behind the one that was found before. */
static inline struct mail *find_mail(const char *id)
{
    static size_t last;
    for (size_t i = 0; i < queued; i++) {
        size_t at = (last + i) % queued;
        if (strcmp(queue[at].id, id) == 0 && queue[at].queue[0] != '\0') {
            last = at;
            return &queue[at];
        }
    }
    return NULL;
}

static inline bool is_wanted(const struct mail *mail, const char *wanted)
{
    char id[100];
    if (strncmp(wanted, "arrived=", 8) == 0)
        return atoll(wanted + 8) == ARRIVED_S;
    if (strncmp(wanted, "sender=", 7) == 0)
        return strcmp(wanted + 7, mail->sender) == 0;
    (void)snprintf(id, sizeof id, "id=%s ", wanted + 8); /* after "hold_id=" */
    return strstr(mail->header, id) != NULL;
}

static inline void list_queue(FILE *out)
{
    int count = 0;
    for (size_t i = 0; i < queued; i++) {
        if (queue[i].queue[0] == '\0')
            continue;
        (void)fprintf(
            out,
            "{\"queue_name\": \"%s\", \"queue_id\": \"%s\", \"sender\": \"%s\", "
            "\"arrival_time\": %d, \"size\": 100, \"recipients\": 3}\n",
            queue[i].queue, queue[i].id, queue[i].sender, ARRIVED_S);
        count++;
    }
    (void)fprintf(out, "ok %d\n", count);
}

static inline void obey(const char *verb, struct mail *mail, const char *wanted,
                        FILE *out)
{
    bool hold = strcmp(verb, "hold") == 0;
    atomic_fetch_add(&orders, 1);
    if (fails)
        (void)fputs("error the MTA is unwell\n", out);
    else if (mail == NULL || (!hold && strcmp(mail->queue, "hold") != 0))
        (void)fputs("missing\n", out);
    else if (!is_wanted(mail, wanted))
        (void)fputs("error another message\n", out);
    else {
        (void)snprintf(mail->queue, sizeof mail->queue, "%s", hold ? "hold" : "");
        (void)fputs("ok\n", out);
    }
}

static inline void look(const char *verb, const struct mail *mail, FILE *out)
{
    if (mail == NULL)
        (void)fputs("missing\n", out);
    else if (strncmp(mail->header, "error ", 6) == 0)
        (void)fprintf(out, "%s\n", mail->header);
    else if (strcmp(verb, "header") == 0)
        (void)fprintf(out, "ok%s%s\n", mail->header[0] ? " " : "", mail->header);
    else if (strcmp(verb, "recipients") == 0 && blind)
        (void)fputs("error its file is damaged\n", out);
    else if (strcmp(verb, "recipients") == 0)
        (void)fputs("ok {\"old\": false, \"recipients\": [\"p1@own.example\"]}\n", out);
    else
        (void)fprintf(out,
                      "ok {\"sender\": \"%s\", \"arrival_time\": %d, \"login\": \"%s\", "
                      "\"client\": \"%s\", \"local\": %s}\n",
                      mail->sender, ARRIVED_S, mail->login, mail->client,
                      mail->client[0] == '\0' ? "true" : "false");
}

/* Orders, one a line, up to an empty line. */
static inline void serve_batch(const char *words, FILE *out)
{
    int count = 0;
    bool looks = false;
    for (const char *line = strchr(words, '\n') + 1; *line != '\0' && *line != '\n';
         line = strchr(line, '\n') + 1) {
        char verb[20] = "";
        char id[24] = "";
        char wanted[200] = "";
        (void)sscanf(line, "%19s %23s %199s", verb, id, wanted);
        looks = strcmp(verb, "header") == 0 || strcmp(verb, "envelope") == 0 ||
                strcmp(verb, "recipients") == 0;
        struct mail *mail = find_mail(id);
        if (looks)
            look(verb, mail, out);
        else
            obey(verb, mail, wanted, out);
        count++;
    }
    (void)fprintf(out, "ok %d\n", count);
    if (looks)
        return;
    (void)snprintf(order, sizeof order, "%s", strchr(words, '\n') + 1);
    atomic_fetch_add(&batches, 1);
}

static inline void serve_one(int fd)
{
    static char words[70000];
    size_t length = 0;
    ssize_t got;
    while ((got = recv(fd, words + length, sizeof words - 1 - length, 0)) > 0)
        length += (size_t)got;
    words[length] = '\0';
    while (hangs && !stop)
        (void)usleep(5000);
    struct pollfd peer = {.fd = fd};
    if (poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP) != 0)
        return; /* as mailbrake-mta does: nobody waits */
    FILE *out = fdopen(dup(fd), "w");
    (void)pthread_mutex_lock(&mutex);
    if (strcmp(words, "list\n") == 0) {
        list_queue(out);
    } else if (strncmp(words, "batch\n", 6) == 0) {
        serve_batch(words, out);
    } else { /* notice */
        memcpy(order, words, length + 1);
        (void)fputs("ok\n", out);
    }
    (void)pthread_mutex_unlock(&mutex);
    (void)fclose(out);
}

static inline void *serve(void *nothing)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    while (!stop) {
        if (poll(&ready, 1, 20) <= 0)
            continue;
        int fd = accept(listener, NULL, NULL);
        serve_one(fd);
        (void)close(fd);
    }
    return nothing;
}

static inline void start_helper(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static int number;
    (void)snprintf(path, sizeof path, "/tmp/mailbrake-actions-%d-%d", (int)getpid(),
                   ++number);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

/* The last order that was no list and no header. */
static inline const char *last_order(void)
{
    static char copy[sizeof order];
    (void)pthread_mutex_lock(&mutex);
    memcpy(copy, order, sizeof order);
    (void)pthread_mutex_unlock(&mutex);
    return copy;
}

/* Puts a message into the queue, or changes it; where "": it is gone. */
static inline void put_mail(size_t i, const struct mail *mail)
{
    (void)pthread_mutex_lock(&mutex);
    queue[i] = *mail;
    queued = i >= queued ? i + 1 : queued;
    (void)pthread_mutex_unlock(&mutex);
}

static inline struct mail get_mail(size_t i)
{
    (void)pthread_mutex_lock(&mutex);
    struct mail mail = queue[i];
    (void)pthread_mutex_unlock(&mutex);
    return mail;
}

static inline void move_mail(size_t i, const char *where)
{
    struct mail mail = get_mail(i);
    (void)snprintf(mail.queue, sizeof mail.queue, "%s", where);
    put_mail(i, &mail);
}

static inline void hold_header_mail(size_t i, const char *header)
{
    struct mail mail = get_mail(i);
    (void)snprintf(mail.header, sizeof mail.header, "%s", header);
    put_mail(i, &mail);
}

/* ---- set-up ---- */

static inline void ignore_report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

static inline void open_store(void)
{
    static char prefix[] = "mailbrake", nothing[] = "";
    struct store_reporter reporter = {.report = ignore_report};
    const struct store_settings memory = {
        .type = STORE_TYPE_MEMORY, .prefix = prefix, .state_file = nothing, .nodes = 1};
    ck_assert_int_eq(store_open(&memory, &key, reporter, &store, &error), STATUS_OK);
    ledger = ledger_new(store, &key, "relay1");
    actions = actions_new(ledger, &key, "relay1");
}

static inline void setup(void)
{
    static char nothing[] = "";
    static char domain[] = "own.example", delimiters[] = "+";
    static char *names[] = {domain};
    (void)signal(SIGPIPE, SIG_IGN); /* of a client that did not wait */
    memset(queue, 0, sizeof queue); /* nobody else is there yet */
    queued = 0;
    orders = batches = 0;
    fails = hangs = blind = false;
    start_helper();
    (void)snprintf(helper_path, sizeof helper_path, "%s", path);
    settings = (struct settings){0};
    settings.mta.helper = helper_path;
    settings.store.state_file = nothing;
    settings.quarantine.max_per_incident = 500;
    settings.quarantine.max_messages = 5000;
    settings.policy.domains =
        (struct domains){.names = names, .count = 1, .delimiters = delimiters};
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    open_store();
}

static inline void teardown(void)
{
    stop = true;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(listener);
    (void)unlink(path);
    actions_free(actions);
    ledger_free(ledger);
    store_close(store);
}

static inline int64_t soon(void)
{
    return clock_monotonic_us() + 5000000;
}

/* A message on hold with its record; its id. */
static inline struct hold hold_mail(const char *queue_id, const char *sender, bool tell)
{
    struct hold hold;
    struct mail mail = {0};
    struct event event = {.action = ACTION_QUARANTINE,
                          .rule = "many",
                          .fingerprint = "00112233445566778899aabbccddeeff",
                          .subject = "login:a@own.example",
                          .identity = "login:a@own.example",
                          .sender = sender,
                          .tell = tell,
                          .lists = {"all@own.example"},
                          .list_count = 1,
                          .addressed = {"all@own.example"},
                          .addressed_count = 25,
                          .reach = 300,
                          .queue_id = queue_id,
                          .now_ms = clock_wall_ms() - 60000};
    for (size_t i = 1; i < EVENT_ADDRESSED_MAX; i++)
        event.addressed[i] = "\x1b[2J@own.example";
    ledger_hold(ledger, &settings, &event, soon(), &hold);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    (void)snprintf(mail.id, sizeof mail.id, "%s", queue_id);
    (void)snprintf(mail.queue, sizeof mail.queue, "hold");
    (void)snprintf(mail.sender, sizeof mail.sender, "%s", sender);
    (void)snprintf(mail.header, sizeof mail.header,
                   "id=%s rule=many incident=%s reach=300", hold.id, hold.incident);
    put_mail(queued, &mail);
    return hold;
}

static inline void add_mail(const char *queue_id, const char *where, const char *sender)
{
    struct mail mail = {0};
    (void)snprintf(mail.id, sizeof mail.id, "%s", queue_id);
    (void)snprintf(mail.queue, sizeof mail.queue, "%s", where);
    (void)snprintf(mail.sender, sizeof mail.sender, "%s", sender);
    put_mail(queued, &mail);
}

static inline void expect_state(const char *id, const char *state)
{
    json_t *hold;
    ck_assert_int_eq(ledger_find_hold(ledger, id, soon(), &hold), STATUS_OK);
    ck_assert_str_eq(record_text(hold, "state"), state);
    json_decref(hold);
}

static inline enum status decide_by(struct actions *by, enum actions_verb verb,
                                    const char *id, struct error *out)
{
    struct actions_result result;
    actions_decide_many(by, &settings, verb, &id, 1, clock_monotonic_us() + 60000000,
                        NULL, &result);
    *out = result.error;
    return result.status;
}

static inline enum status decide(enum actions_verb verb, const char *id)
{
    return decide_by(actions, verb, id, &error);
}

static inline void expect_words(const char *words)
{
    ck_assert_msg(strstr(error.text, words) != NULL, "%s", error.text);
}

static inline struct actions_sync sync_now(void)
{
    struct actions_sync found;
    ck_assert_msg(actions_sync(actions, &settings, NULL, &found, &error) == STATUS_OK,
                  "%s", error.text);
    return found;
}

#endif
