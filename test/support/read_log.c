/* read-log FILE...: what a mail log tells, as JSON: a line for each message, and one for
 * the reading. For end-to-end tests. */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/digest.h"
#include "replay/mail_log.h"

static void print(json_t *document)
{
    (void)json_dumpf(document, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(document);
}

static enum status print_message(void *context, const struct mail_log_message *message)
{
    static const char *const ENDS[] = {"open",    "sent", "deferred",
                                       "bounced", "held", "rejected"};
    json_t *recipients = json_object();
    (void)context;
    for (size_t i = 0; i < message->recipient_count; i++)
        (void)json_object_set_new(
            recipients, message->recipients[i].address,
            json_integer((json_int_t)message->recipients[i].mailboxes));
    print(json_pack("{s:I, s:s, s:s, s:b, s:s?, s:s?, s:s, s:o, s:s, s:b, s:b}", "at_ms",
                    (json_int_t)message->at_ms, "queue_id", message->queue_id, "host",
                    message->host, "local", message->local, "client", message->client,
                    "login", message->login, "sender", message->sender, "recipients",
                    recipients, "end", ENDS[message->end], "held", message->held, "whole",
                    message->whole));
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct mail_log_statistics statistics;
    struct error error = {0};
    json_t *examples = json_array();
    struct mail_log_reading reading = {
        .paths = (const char *const *)argv + 1,
        .path_count = (size_t)(argc - 1),
        .now_ms = clock_wall_ms(),
        .each = print_message,
    };
    if (digest_init() != STATUS_OK ||
        mail_log_read(&reading, &statistics, &error) != STATUS_OK) {
        (void)fprintf(stderr, "read-log: %s: %s\n", error.file, error.text);
        return 1;
    }
    for (uint64_t i = 0; i < statistics.unread && i < MAIL_LOG_EXAMPLES; i++)
        (void)json_array_append_new(examples, json_string(statistics.examples[i].text));
    print(json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:o}", "lines", (json_int_t)statistics.lines,
        "messages", (json_int_t)statistics.messages, "unread",
        (json_int_t)statistics.unread, "first_ms", (json_int_t)statistics.first_ms,
        "last_ms", (json_int_t)statistics.last_ms, "examples", examples));
    return 0;
}
