/* Each finding is a way in which mail gets round the brake, or is counted wrongly; what
 * Postfix thinks is asked of postconf(1), never guessed. */
#include "cli/relay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/relay_parts.h"

enum { TEXT_SIZE = 2000 };

static bool was_said(const struct problems *problems, const char *text)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strcmp(problems->items[i].text, text) == 0)
            return true;
    }
    return false;
}

static void PRINTF_LIKE(5, 6) add(const struct relay *relay, enum relay_severity severity,
                                  const char *file, int line, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (was_said(relay->problems, text))
        return;
    if (severity == RELAY_SURE)
        problems_error(relay->problems, file, line, "%s", text);
    else
        problems_warning(relay->problems, file, line, "%s", text);
}

static bool is_own(const struct relay_setting *setting)
{
    return setting->service != NULL &&
           postconf_is_own(setting->relay->postconf, setting->service, setting->name);
}

void relay_say(const struct relay_setting *setting, enum relay_severity severity,
               const char *format, ...)
{
    const struct relay *relay = setting->relay;
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (relay->postconf == NULL)
        add(relay, severity, relay->file, relay->line, "%s", text);
    else if (is_own(setting))
        add(relay, severity, postconf_master(relay->postconf), 0, "%s (%s): %s",
            setting->service->name, setting->name, text);
    else
        add(relay, severity, postconf_main(relay->postconf),
            postconf_line(relay->postconf, setting->name), "%s", text);
}

void relay_say_ours(const struct relay *relay, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(relay, RELAY_SURE, relay->settings->file, 0, "%s", text);
}

const char *relay_beside(const struct relay_setting *setting, const char *name)
{
    const struct postconf *postconf = setting->relay->postconf;
    return setting->service == NULL ? postconf_get(postconf, name)
                                    : postconf_seen_by(postconf, setting->service, name);
}

bool relay_has_word(const char *list, const char *word)
{
    struct words words = words_of(list);
    const char *at;
    size_t length;
    while (words_next(&words, &at, &length)) {
        if (length == strlen(word) && strncmp(at, word, length) == 0)
            return true;
    }
    return false;
}

bool relay_is_same_file(const char *a, const char *b)
{
    struct stat first;
    struct stat second;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &first) == 0 && stat(b, &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* ---- settings of one word ---- */

static void check_words(const struct relay *relay)
{
    static const struct {
        const char *name, *wrong, *text;
    } words[] = {
        {"enable_long_queue_ids", "no",
         "short queue ids are used again and again, and logs and held mail are mistaken "
         "for one another; write: enable_long_queue_ids = yes"},
        {"smtpd_forbid_bare_newline", "no",
         "a message may smuggle in another one, which the server that sends it has never "
         "checked (CVE-2023-51764); write: smtpd_forbid_bare_newline = yes"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(postconf_get(relay->postconf, words[i].name), words[i].wrong) == 0)
            relay_say(&(const struct relay_setting){relay, NULL, words[i].name, ""},
                      RELAY_SURE, "%s", words[i].text);
    }
}

static void check_postfix(struct relay *relay)
{
    struct error error = {0};
    if (postconf_load(relay->settings->mta.config_directory, &relay->postconf, &error) !=
        STATUS_OK) {
        problems_error(relay->problems, relay->settings->file, 0,
                       "mta.config_directory: %s", error.text);
        return;
    }
    relay_check_table(relay);
    relay_check_milters(relay);
    relay_check_seen(relay);
    check_words(relay);
    relay_check_socket(relay);
    postconf_free(relay->postconf);
}

void relay_check(const struct snapshot *snapshot, struct problems *problems)
{
    bool has_filter = false;
    struct relay relay = {.settings = snapshot->settings,
                          .directory = snapshot->directory,
                          .problems = problems,
                          .has_filter = &has_filter};
    if (relay.settings->mta.type == MTA_POSTFIX)
        check_postfix(&relay);
    else
        relay_check_sendmail(&relay);
}
