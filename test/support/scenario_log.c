/* scenario-log SCENARIO [NAME=VALUE ...]
 *
 * Prints the log that Postfix would have written of a scenario's messages, had it let
 * them all pass: what `mailbrake simulate` and `learn` read. Lists are virtual aliases.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/intern.h"
#include "replay/generator.h"
#include "replay/scenario_lists.h"

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "scenario-log: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

/* The size of each list, by the number of its address. */
struct lists {
    struct intern *addresses;
    int64_t *sizes;
};

static enum status add_list(void *context, const struct scenario_lists_item *item,
                            struct error *error)
{
    struct lists *lists = context;
    uint32_t id;
    (void)error;
    if (intern_add(lists->addresses, item->address.text, item->address.length, &id) !=
        STATUS_OK)
        return STATUS_NOMEM;
    int64_t *larger = realloc(lists->sizes, (id + 1) * sizeof *larger);
    if (larger == NULL)
        return STATUS_NOMEM;
    lists->sizes = larger;
    lists->sizes[id] = item->list->size;
    return STATUS_OK;
}

static int64_t size_of(const struct lists *lists, const char *address)
{
    uint32_t id;
    return intern_find(lists->addresses, address, strlen(address), &id) ? lists->sizes[id]
                                                                        : 0;
}

/* What a line begins with, and the queue id of the message. */
struct head {
    char stamp[64];
    char id[32];
};

/* A long queue id: seconds and microseconds in base 52, 'z', a number in base 51. */
static void make_id(int64_t number, int64_t at_ms, char out[32])
{
    static const char letters[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    int64_t parts[] = {at_ms / 1000, at_ms % 1000 * 1000 + number % 1000};
    size_t lengths[] = {6, 4};
    char *at = out;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = lengths[i]; j-- > 0; parts[i] /= 52)
            at[j] = letters[parts[i] % 52];
        at += lengths[i];
    }
    *at++ = 'z';
    for (number += 100000; number > 0; number /= 51)
        *at++ = letters[number % 51];
    *at = '\0';
}

static void make_head(const struct generated_message *message, struct head *out)
{
    time_t seconds = (time_t)(message->at_ms / 1000);
    struct tm parts;
    char date[24];
    (void)gmtime_r(&seconds, &parts);
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out->stamp, sizeof out->stamp, "%s.%06d+00:00 mail", date,
                   (int)(message->at_ms % 1000) * 1000);
    make_id(message->number, message->at_ms, out->id);
}

static void print_delivery(const struct head *head, const char *to, const char *list)
{
    (void)printf(
        "%s postfix/smtp[204]: %s: to=<%s>, %s%s%srelay=mx.example[192.0.2.25]:25,"
        " delay=0.4, delays=0.1/0/0.1/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n",
        head->stamp, head->id, to, list == NULL ? "" : "orig_to=<",
        list == NULL ? "" : list, list == NULL ? "" : ">, ");
}

/* Postfix drops a recipient that was given twice; here of a few, as scenarios do it. */
static bool is_repeated(const struct envelope *envelope, size_t i)
{
    for (size_t j = 0; j < i && i < 16; j++) {
        if (strcmp(envelope->recipients[i].address, envelope->recipients[j].address) == 0)
            return true;
    }
    return false;
}

static int64_t count_mailboxes(const struct lists *lists, const struct envelope *envelope)
{
    int64_t count = 0;
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        int64_t size = size_of(lists, envelope->recipients[i].address);
        count += is_repeated(envelope, i) ? 0 : size > 0 ? size : 1;
    }
    return count;
}

static void print_arrival(const struct head *head, const struct envelope *envelope)
{
    if (envelope->local) {
        (void)printf("%s postfix/pickup[200]: %s: uid=0 from=<%s>\n", head->stamp,
                     head->id, envelope->sender);
        return;
    }
    (void)printf("%s postfix/smtpd[201]: connect from unknown[%s]\n", head->stamp,
                 envelope->client);
    (void)printf("%s postfix/smtpd[201]: %s: client=unknown[%s]", head->stamp, head->id,
                 envelope->client);
    if (envelope->login != NULL)
        (void)printf(", sasl_method=PLAIN, sasl_username=%s", envelope->login);
    (void)putchar('\n');
}

static void print_message(const struct lists *lists,
                          const struct generated_message *message)
{
    const struct envelope *envelope = &message->envelope;
    struct head head;
    char member[ADDRESS_SIZE + 32];
    make_head(message, &head);
    print_arrival(&head, envelope);
    (void)printf("%s postfix/cleanup[202]: %s: message-id=<%" PRId64 "@mail.example>\n",
                 head.stamp, head.id, message->number);
    (void)printf("%s postfix/qmgr[203]: %s: from=<%s>, size=1830, nrcpt=%" PRId64
                 " (queue active)\n",
                 head.stamp, head.id, envelope->sender, count_mailboxes(lists, envelope));
    if (!envelope->local)
        (void)printf("%s postfix/smtpd[201]: disconnect from unknown[%s] ehlo=1 mail=1 "
                     "rcpt=%zu data=1 quit=1 commands=5\n",
                     head.stamp, envelope->client, envelope->recipient_count);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        const char *address = envelope->recipients[i].address;
        int64_t size = size_of(lists, address);
        if (is_repeated(envelope, i))
            continue;
        for (int64_t n = 1; n <= size; n++) {
            (void)snprintf(member, sizeof member, "member%" PRId64 ".%s", n, address);
            print_delivery(&head, member, address);
        }
        if (size == 0)
            print_delivery(&head, address, NULL);
    }
    (void)printf("%s postfix/qmgr[203]: %s: removed\n", head.stamp, head.id);
}

static enum status print_all(const struct scenario *scenario, struct error *error)
{
    struct lists lists = {.addresses = intern_new()};
    struct problems problems = {0};
    struct generator *generator = generator_new(scenario);
    enum status status = STATUS_NOMEM;
    if (lists.addresses != NULL && generator != NULL)
        status = scenario_lists_each(scenario, add_list, &lists, &problems);
    while (status == STATUS_OK) {
        struct generated_message message;
        status = generator_next(generator, &message, error);
        if (status == STATUS_OK)
            print_message(&lists, &message);
    }
    problems_clear(&problems);
    generator_free(generator);
    intern_free(lists.addresses);
    free(lists.sizes);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

int main(int argc, char **argv)
{
    struct scenario scenario;
    struct problems problems = {0};
    struct error error = {0};
    if (digest_init() != STATUS_OK || argc < 2)
        return complain("usage", "scenario-log SCENARIO [NAME=VALUE ...]");
    const struct scenario_options options = {.given = (const char *const *)argv + 2,
                                             .given_count = (size_t)argc - 2};
    if (scenario_load(argv[1], &options, &scenario, &problems) != STATUS_OK) {
        (void)complain(argv[1],
                       problems.count > 0 ? problems.items[0].text : "out of memory");
        problems_clear(&problems);
        return EXIT_FAILURE;
    }
    enum status status = print_all(&scenario, &error);
    scenario_clear(&scenario);
    problems_clear(&problems);
    if (status != STATUS_OK || fflush(stdout) != 0)
        return complain(argv[1], error.text[0] == '\0' ? "not written" : error.text);
    return EXIT_SUCCESS;
}
