/* As JSON, and for people. */
#include "logs/log_views.h"

#include <stdio.h>

#include "base/output.h"
#include "engine/json_output.h"

/* How many of the examples were found. */
static size_t count_examples(const struct mail_log_statistics *log, bool hashed)
{
    if (hashed)
        return 0;
    return log->unread < MAIL_LOG_EXAMPLES ? (size_t)log->unread : MAIL_LOG_EXAMPLES;
}

json_t *log_json(const struct mail_log_statistics *log, bool hashed)
{
    json_t *examples = json_array();
    for (size_t i = 0; i < count_examples(log, hashed); i++) {
        const struct mail_log_example *example = &log->examples[i];
        (void)json_array_append_new(examples,
                                    json_pack("{s:o, s:I, s:o}", "file",
                                              json_output_string(example->file), "line",
                                              (json_int_t)example->line, "text",
                                              json_output_string(example->text)));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "lines",
                     (json_int_t)log->lines, "messages", (json_int_t)log->messages,
                     "late", (json_int_t)log->late, "unread", (json_int_t)log->unread,
                     "first", json_output_instant(log->first_ms), "last",
                     json_output_instant(log->last_ms), "examples", examples);
}

json_t *log_json_unjudged(const struct log_rules *rules)
{
    json_t *unjudged = json_array();
    for (size_t i = 0; i < rules->unjudged_count; i++)
        (void)json_array_append_new(unjudged, json_pack("{s:s, s:s}", "rule",
                                                        rules->unjudged[i].rule, "why",
                                                        rules->unjudged[i].why));
    return unjudged;
}

void log_print_unread(FILE *out, const struct mail_log_statistics *log, bool hashed)
{
    char unread[TEXT_GROUPED_SIZE];
    if (log->lines == 1 && log->unread == 1)
        (void)fputs(", which is no log line, or is cut", out);
    else if (log->unread > 0)
        (void)fprintf(out, "; %s of them %s", text_grouped((int64_t)log->unread, unread),
                      log->unread == 1 ? "is no log line, or is cut"
                                       : "are no log lines, or are cut");
    (void)fputs(count_examples(log, hashed) > 0 ? ":\n" : ".\n", out);
    for (size_t i = 0; i < count_examples(log, hashed); i++) {
        const struct mail_log_example *example = &log->examples[i];
        struct text file = {0};
        output_add_clean(&file, example->file);
        (void)fprintf(out, "  %s:%llu: %s\n", text_string(&file),
                      (unsigned long long)example->line, example->text);
        text_clear(&file);
    }
}

void log_print(const struct mail_log_statistics *log, bool hashed)
{
    char lines[TEXT_GROUPED_SIZE];
    (void)printf("%s line%s of log %s read", text_grouped((int64_t)log->lines, lines),
                 log->lines == 1 ? "" : "s", log->lines == 1 ? "was" : "were");
    log_print_unread(stdout, log, hashed);
    if (log->late > 0)
        (void)printf("Messages left out, since a file goes back in time: %s.\n",
                     text_grouped((int64_t)log->late, lines));
}

void log_print_unjudged(const struct log_rules *rules)
{
    if (rules->unjudged_count > 0)
        (void)puts("A log can't say all that these rules ask for:");
    for (size_t i = 0; i < rules->unjudged_count; i++)
        (void)printf("  %-18s %s\n", rules->unjudged[i].rule, rules->unjudged[i].why);
}
