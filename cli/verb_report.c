/* mailbrake report and top: what a week was like, and who sends most now. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/report.h"

static void print_report(const json_t *answer)
{
    struct text text = {0};
    report_write(answer, &text);
    (void)fputs(text_string(&text), stdout);
    text_clear(&text);
}

int verb_report(int argc, char **argv)
{
    static const struct control_action actions[] = {
        {NULL, .method = "GET", .path = "/v1/report", .show = print_report},
        {NULL, .needs = CONTROL_CLIENT_SINCE, .method = "GET",
         .path = "/v1/report?since=%s", .show = print_report},
    };
    static const struct control_verb verb = {"usage: mailbrake report [--since 7d]\n",
                                             actions, 2};
    return control_client_run(&verb, argc, argv);
}

static void print_largest(const json_t *answer, const char *name, const char *head)
{
    const struct page_column columns[] = {
        {"MESSAGES", TEXT_TABLE_NUMBER, "messages", NULL},
        {"COPIES", TEXT_TABLE_NUMBER, "copies", NULL},
        {"STOPPED", TEXT_TABLE_NUMBER, "stopped", NULL},
        {head, TEXT_TABLE_KEY, "key", NULL},
    };
    if (json_array_size(json_object_get(answer, name)) > 0)
        page_table(json_object_get(answer, name), "", columns,
                   sizeof columns / sizeof columns[0]);
}

static void print_top(const json_t *answer)
{
    static const struct page_column open[] = {
        {"INCIDENT", TEXT_TABLE_KEY, "id", NULL},
        {"RULE", TEXT_TABLE_TEXT, "rule", NULL},
        {"HELD", TEXT_TABLE_NUMBER, "waiting", NULL},
        {"REFUSED", TEXT_TABLE_NUMBER, "refused", NULL},
        {"DEFERRED", TEXT_TABLE_NUMBER, "deferred", NULL},
        {"KEY", TEXT_TABLE_KEY, "key", NULL},
    };
    (void)printf("The last %lld minutes on %s\n\n", page_number(answer, "minutes"),
                 page_text(answer, "host"));
    print_largest(answer, "senders", "SENDER");
    print_largest(answer, "lists", "LIST");
    if (json_array_size(json_object_get(answer, "senders")) == 0)
        (void)puts("No mail.");
    if (json_is_array(json_object_get(answer, "incidents")))
        page_table(json_object_get(answer, "incidents"), "No incident is open.", open,
                   sizeof open / sizeof open[0]);
    else
        (void)puts("Which incidents are open is not known: the store does not answer.");
    (void)fflush(stdout);
}

enum { EVERY_MS = 2000 };

/* On a terminal again and again, until Ctrl-C. */
static int top(struct control_client *client)
{
    bool live = isatty(STDOUT_FILENO) != 0 && !client->arguments.json;
    for (;;) {
        json_t *answer = control_client_ask(client, "GET", "/v1/top", NULL, NULL);
        if (answer != NULL && live)
            (void)fputs("\033[H\033[2J", stdout);
        int result = control_client_show(client, answer, print_top);
        if (!live || result != EXIT_DONE)
            return result;
        clock_sleep_ms(EVERY_MS);
    }
}

int verb_top(int argc, char **argv)
{
    static const struct control_action action = {NULL, .run = top};
    static const struct control_verb verb = {"usage: mailbrake top\n", &action, 1};
    return control_client_run(&verb, argc, argv);
}
