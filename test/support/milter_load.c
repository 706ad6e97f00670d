/* milter-load: many messages over many connections at the milter protocol, as an MTA in a
 * storm would send them; prints one JSON line with counts and latencies. A connection is
 * a thread; all start together. In --from, --to, --login, --client and --subject, %n is
 * the message's number, %w the same in letters, %c the connection's number and %r the
 * recipient's. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "support/mta.h"

enum { SOCKETS_MAX = 16, CONNECTIONS_MAX = 1024, MESSAGES_MAX = 50000000 };

enum fate {
    FATE_ACCEPT,
    FATE_QUARANTINE,
    FATE_REJECT,
    FATE_DEFER,      /* 450 */
    FATE_TEMPFAIL,   /* any other 4xx, or a bare tempfail */
    FATE_UNANSWERED, /* the message was complete, no verdict came */
    FATE_BROKEN,     /* the connection was lost before that, or never made */
    FATE_COUNT,
};

static const char *const fate_names[FATE_COUNT] = {
    "accept", "quarantine", "reject", "defer", "tempfail", "unanswered", "broken"};

struct options {
    const char *sockets[SOCKETS_MAX];
    size_t socket_count;
    unsigned long messages, connections, per_connection, recipients, rate, timeout_ms;
    const char *from, *to, *login, *client, *subject, *trace;
};

/* What became of a message. */
struct record {
    int64_t at_us; /* since the start, of its end of message */
    uint32_t us;   /* from end of message to verdict */
    uint8_t fate;
    uint8_t socket;
    uint16_t replies; /* waited for */
};

struct load {
    struct options options;
    atomic_ulong next; /* message number */
    struct record *records;
    pthread_barrier_t barrier;
    int64_t start_us;
};

struct worker {
    pthread_t thread;
    struct load *load;
    unsigned long number;
    bool open;
    unsigned long sent; /* on this connection */
    struct mta *mta;
};

/* Digits in subjects make no difference, letters do. */
static void add_word(unsigned long number, struct text *out)
{
    do {
        text_add_byte(out, (char)('a' + number % 26));
        number /= 26;
    } while (number > 0);
}

static void expand(const char *pattern, const unsigned long numbers[3], struct text *out)
{
    static const char letters[] = "ncrw";
    text_reset(out);
    for (const char *at = pattern; *at != '\0'; at++) {
        const char *letter =
            at[0] == '%' && at[1] != '\0' ? strchr(letters, at[1]) : NULL;
        if (letter == NULL)
            text_add(out, at, 1);
        else if (*letter == 'w')
            add_word(numbers[0], out);
        else
            text_printf(out, "%lu", numbers[letter - letters]);
        at += letter == NULL ? 0 : 1;
    }
}

static enum status greet(struct worker *worker, unsigned long n, struct error *error)
{
    const struct options *options = &worker->load->options;
    const char *socket = options->sockets[worker->number % options->socket_count];
    const unsigned long numbers[3] = {n, worker->number, 0};
    const char *const helo[] = {"load.example", NULL};
    struct text client = {0};
    struct mta_reply reply;

    expand(options->client, numbers, &client);
    enum status status = mta_open(worker->mta, socket, error);
    if (status == STATUS_OK)
        status = mta_negotiate(worker->mta, MTA_ACTIONS, MTA_STEPS, error);
    if (status == STATUS_OK)
        status =
            mta_connect(worker->mta, "load.example", text_string(&client), &reply, error);
    if (status == STATUS_OK)
        status = mta_strings(worker->mta, SMFIC_HELO, helo, &reply, error);
    text_clear(&client);
    worker->open = status == STATUS_OK;
    worker->sent = 0;
    return status;
}

static enum status send_mail(struct worker *worker, unsigned long n, struct text *address,
                             struct error *error)
{
    const struct options *options = &worker->load->options;
    const unsigned long numbers[3] = {n, worker->number, 0};
    struct mta_reply reply;
    struct text login = {0}, bracketed = {0};

    expand(options->from, numbers, address);
    expand(options->login, numbers, &login);
    text_printf(&bracketed, "<%s>", text_string(address));
    const char *const words[] = {text_string(&bracketed), NULL};
    const char *const macros[] = {"{mail_addr}",
                                  text_string(address),
                                  "{mail_mailer}",
                                  "smtp",
                                  login.length > 0 ? "{auth_authen}" : NULL,
                                  text_string(&login),
                                  NULL};
    enum status status = mta_macros(worker->mta, SMFIC_MAIL, macros, error);
    if (status == STATUS_OK)
        status = mta_strings(worker->mta, SMFIC_MAIL, words, &reply, error);
    text_clear(&login);
    text_clear(&bracketed);
    return status;
}

static enum status send_recipients(struct worker *worker, unsigned long n,
                                   struct text *address, struct error *error)
{
    const struct options *options = &worker->load->options;
    enum status status = STATUS_OK;
    struct mta_reply reply;
    struct text bracketed = {0};

    for (unsigned long r = 0; r < options->recipients && status == STATUS_OK; r++) {
        const unsigned long numbers[3] = {n, worker->number, r};
        expand(options->to, numbers, address);
        text_reset(&bracketed);
        text_printf(&bracketed, "<%s>", text_string(address));
        const char *const words[] = {text_string(&bracketed), NULL};
        const char *const macros[] = {"{rcpt_addr}", text_string(address),
                                      "{rcpt_mailer}", "smtp", NULL};
        status = mta_macros(worker->mta, SMFIC_RCPT, macros, error);
        if (status == STATUS_OK)
            status = mta_strings(worker->mta, SMFIC_RCPT, words, &reply, error);
    }
    text_clear(&bracketed);
    return status;
}

static enum status send_headers(struct worker *worker, unsigned long n, struct text *text,
                                struct error *error)
{
    const unsigned long numbers[3] = {n, worker->number, 0};
    struct mta_reply reply;
    expand(worker->load->options.subject, numbers, text);
    const char *const subject[] = {"Subject", text_string(text), NULL};
    enum status status = mta_strings(worker->mta, SMFIC_HEADER, subject, &reply, error);
    if (status != STATUS_OK)
        return status;
    expand("<%n.%c@load.example>", numbers, text);
    const char *const id[] = {"Message-ID", text_string(text), NULL};
    status = mta_strings(worker->mta, SMFIC_HEADER, id, &reply, error);
    if (status == STATUS_OK)
        status = mta_command(worker->mta, SMFIC_EOH, NULL, 0, &reply, error);
    if (status == STATUS_OK)
        status = mta_command(worker->mta, SMFIC_BODY, "Hello.\r\n", 8, &reply, error);
    expand("Q%nC%c", numbers, text);
    const char *const macros[] = {"i", text_string(text), NULL};
    return status == STATUS_OK ? mta_macros(worker->mta, SMFIC_BODYEOB, macros, error)
                               : status;
}

static enum fate fate_of(const struct mta *mta, const struct mta_reply *reply)
{
    switch (reply->kind) {
    case SMFIR_REPLYCODE:
        return reply->text[0] == '5'                 ? FATE_REJECT
               : strncmp(reply->text, "450", 3) == 0 ? FATE_DEFER
                                                     : FATE_TEMPFAIL;
    case SMFIR_REJECT:
        return FATE_REJECT;
    case SMFIR_ACCEPT:
    case SMFIR_CONTINUE:
        for (size_t i = 0; i < mta_change_count(mta); i++) {
            if (mta_change_at(mta, i)->kind == SMFIR_QUARANTINE)
                return FATE_QUARANTINE;
        }
        return FATE_ACCEPT;
    default:
        return FATE_TEMPFAIL;
    }
}

static enum fate deliver(struct worker *worker, unsigned long n, struct text *scratch,
                         struct record *record)
{
    struct error error = {0};
    struct mta_reply reply = {0};
    enum status status = worker->open ? STATUS_OK : greet(worker, n, &error);
    if (status == STATUS_OK)
        status = send_mail(worker, n, scratch, &error);
    if (status == STATUS_OK)
        status = send_recipients(worker, n, scratch, &error);
    if (status == STATUS_OK)
        status = send_headers(worker, n, scratch, &error);
    int64_t sent_us = clock_monotonic_us();
    record->at_us = sent_us - worker->load->start_us;
    if (status != STATUS_OK)
        return FATE_BROKEN;
    status = mta_command(worker->mta, SMFIC_BODYEOB, NULL, 0, &reply, &error);
    record->us = (uint32_t)(clock_monotonic_us() - sent_us);
    record->replies = (uint16_t)mta_replies(worker->mta);
    return status == STATUS_OK ? fate_of(worker->mta, &reply) : FATE_UNANSWERED;
}

/* With --rate, message n is due at n / rate seconds. */
static void pace(const struct load *load, unsigned long n)
{
    if (load->options.rate == 0)
        return;
    int64_t due_us = load->start_us + (int64_t)n * 1000000 / (int64_t)load->options.rate;
    const struct timespec due = clock_timespec(due_us);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
        ;
}

static void leave(struct worker *worker)
{
    struct error error;
    struct mta_reply reply;
    if (worker->open &&
        mta_command(worker->mta, SMFIC_QUIT, NULL, 0, &reply, &error) == STATUS_OK &&
        mta_flush(worker->mta, &error) == STATUS_OK)
        mta_close(worker->mta);
    worker->open = false;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct load *load = worker->load;
    struct text scratch = {0};

    (void)pthread_barrier_wait(&load->barrier);
    for (;;) {
        unsigned long n = atomic_fetch_add(&load->next, 1);
        if (n >= load->options.messages)
            break;
        struct record *record = &load->records[n];
        pace(load, n);
        record->socket = (uint8_t)(worker->number % load->options.socket_count);
        record->fate = (uint8_t)deliver(worker, n, &scratch, record);
        if (record->fate >= FATE_UNANSWERED)
            worker->open = false;
        if (++worker->sent == load->options.per_connection)
            leave(worker);
    }
    leave(worker);
    text_clear(&scratch);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Latencies of the messages that were answered. */
static json_t *latencies(const struct load *load)
{
    static const struct {
        const char *name;
        unsigned long per_mille;
    } points[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p999", 999}, {"max", 1000}};
    json_t *out = json_object();
    unsigned long count = 0;
    uint32_t *sorted = calloc(load->options.messages, sizeof *sorted);
    if (sorted == NULL)
        return out;
    for (unsigned long i = 0; i < load->options.messages; i++) {
        if (load->records[i].fate < FATE_UNANSWERED)
            sorted[count++] = load->records[i].us;
    }
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < sizeof points / sizeof points[0] && count > 0; i++) {
        unsigned long at = (count - 1) * points[i].per_mille / 1000;
        json_object_set_new(out, points[i].name, json_integer(sorted[at]));
    }
    free(sorted);
    return out;
}

static bool report(const struct load *load, int64_t elapsed_us)
{
    unsigned long counts[FATE_COUNT] = {0}, replies_max = 0;
    json_t *out = json_object();
    for (unsigned long i = 0; i < load->options.messages; i++) {
        const struct record *record = &load->records[i];
        counts[record->fate]++;
        if (record->replies > replies_max)
            replies_max = record->replies;
    }
    json_object_set_new(out, "messages",
                        json_integer((json_int_t)load->options.messages));
    for (size_t i = 0; i < FATE_COUNT; i++)
        json_object_set_new(out, fate_names[i], json_integer((json_int_t)counts[i]));
    json_object_set_new(out, "replies_max", json_integer((json_int_t)replies_max));
    json_object_set_new(out, "elapsed_us", json_integer(elapsed_us));
    json_object_set_new(out, "latency_us", latencies(load));
    bool printed = json_dumpf(out, stdout, JSON_COMPACT) == 0 && putchar('\n') == '\n';
    json_decref(out);
    return printed;
}

/* "NUMBER AT_US LATENCY_US FATE SOCKET" a line. */
static bool write_trace(const struct load *load)
{
    if (load->options.trace == NULL)
        return true;
    FILE *file = fopen(load->options.trace, "w");
    if (file == NULL)
        return false;
    for (unsigned long i = 0; i < load->options.messages; i++) {
        const struct record *record = &load->records[i];
        (void)fprintf(file, "%lu %" PRId64 " %" PRIu32 " %s %u\n", i, record->at_us,
                      record->us, fate_names[record->fate], record->socket);
    }
    return fclose(file) == 0;
}

static bool read_number(const char *string, unsigned long max, unsigned long *out)
{
    char *end;
    unsigned long number = strtoul(string, &end, 10);
    if (*string == '\0' || *end != '\0' || number > max)
        return false;
    *out = number;
    return true;
}

static bool read_option(int option, struct options *options)
{
    switch (option) {
    case 's':
        if (options->socket_count == SOCKETS_MAX)
            return false;
        options->sockets[options->socket_count++] = optarg;
        return true;
    case 'n':
        return read_number(optarg, MESSAGES_MAX, &options->messages);
    case 'c':
        return read_number(optarg, CONNECTIONS_MAX, &options->connections);
    case 'p':
        return read_number(optarg, MESSAGES_MAX, &options->per_connection);
    case 'r':
        return read_number(optarg, 100000, &options->recipients);
    case 'R':
        return read_number(optarg, 1000000, &options->rate);
    case 't':
        return read_number(optarg, 600000, &options->timeout_ms);
    case 'f':
        options->from = optarg;
        return true;
    case 'o':
        options->to = optarg;
        return true;
    case 'l':
        options->login = optarg;
        return true;
    case 'a':
        options->client = optarg;
        return true;
    case 'j':
        options->subject = optarg;
        return true;
    case 'T':
        options->trace = optarg;
        return true;
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'n'},
        {"connections", required_argument, NULL, 'c'},
        {"per-connection", required_argument, NULL, 'p'}, /* 0: all on one */
        {"recipients", required_argument, NULL, 'r'},
        {"rate", required_argument, NULL, 'R'}, /* messages a second, 0: no limit */
        {"timeout-ms", required_argument, NULL, 't'},
        {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 'o'},
        {"login", required_argument, NULL, 'l'},
        {"client", required_argument, NULL, 'a'},
        {"subject", required_argument, NULL, 'j'},
        {"trace", required_argument, NULL, 'T'}, /* a file, one line a message */
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (!read_option(option, options))
            return false;
    }
    return optind == argc && options->socket_count > 0 && options->messages > 0 &&
           options->connections > 0;
}

/* Starts the workers and waits for them; false when a thread can't be had. */
static bool siege(struct load *load, struct worker *workers)
{
    unsigned long count = load->options.connections;
    if (pthread_barrier_init(&load->barrier, NULL, (unsigned)count + 1) != 0)
        return false;
    for (unsigned long i = 0; i < count; i++) {
        workers[i] = (struct worker){.load = load, .number = i};
        workers[i].mta = mta_new((int)load->options.timeout_ms);
        if (workers[i].mta == NULL ||
            pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return false; /* the others wait at the barrier until we exit */
    }
    load->start_us = clock_monotonic_us();
    (void)pthread_barrier_wait(&load->barrier);
    for (unsigned long i = 0; i < count; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        mta_free(workers[i].mta);
    }
    (void)pthread_barrier_destroy(&load->barrier);
    return true;
}

int main(int argc, char **argv)
{
    static struct load load = {
        .options = {.messages = 1000,
                    .connections = 50,
                    .recipients = 1,
                    .timeout_ms = 10000,
                    .from = "sender@district.example",
                    .to = "person%n@district.example",
                    .login = "",
                    .client = "10.1.2.3",
                    .subject = "message %n"},
    };
    if (!read_options(argc, argv, &load.options)) {
        (void)fprintf(stderr, "usage: milter-load --socket SOCKET [--messages N] ...\n");
        return 2;
    }
    struct worker *workers = calloc(load.options.connections, sizeof *workers);
    load.records = calloc(load.options.messages, sizeof *load.records);
    if (workers == NULL || load.records == NULL || !siege(&load, workers)) {
        (void)fprintf(stderr, "milter-load: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    bool done = report(&load, clock_monotonic_us() - load.start_us) && write_trace(&load);
    free(workers);
    free(load.records);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
