/* The other milters that Postfix named when it was last looked at: README's line, or any
 * tool's, may have put ours in their place. They are kept beside the state file until the
 * file is removed or they are back, so that a loss is reported more than once. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/text.h"
#include "cli/mta/relay_parts.h"
#include "lists/file.h"
#include "lists/lines.h"

enum { SEEN_BYTES_MAX = 64 * 1024, PATH_SIZE = 4200 };

struct seen_milters {
    const struct relay *relay;
    char path[PATH_SIZE]; /* of what was kept */
    char *before;         /* its lines: "PARAMETER MILTER" */
    size_t length;
    struct text now;
};

/* "smtpd_milters", or "submission/inet/smtpd_milters" when the service has its own. */
static void name_of(const struct relay_setting *setting, char *out, size_t size)
{
    const struct postconf_service *service = setting->service;
    if (service == NULL)
        (void)snprintf(out, size, "%s", setting->name);
    else
        (void)snprintf(out, size, "%s/%s/%s", service->name, service->type,
                       setting->name);
}

/* Adds the parameter's other milters to what is kept. */
static void keep_now(struct seen_milters *seen, const struct relay_setting *setting,
                     const char *name)
{
    struct words words = words_of(setting->value);
    const char *item;
    while ((item = words_next(&words)) != NULL) {
        char milter[WORDS_ITEM_SIZE];
        words_first(item, milter, sizeof milter);
        if (milter[0] != '\0' && !relay_is_our_milter(seen->relay, false, milter) &&
            !relay_is_our_milter(seen->relay, true, milter))
            text_printf(&seen->now, "%s %s\n", name, milter);
    }
}

/* Reports those that are gone, and keeps them for the next check. */
static void tell_lost(struct seen_milters *seen, const struct relay_setting *setting,
                      const char *name)
{
    struct text lost = {0};
    struct line line;
    char ours[600];
    size_t length = strlen(name);
    struct lines lines = lines_of(seen->before, seen->length);
    while (lines_next(&lines, &line)) {
        char milter[WORDS_ITEM_SIZE];
        if (line.length <= length + 1 || strncmp(line.text, name, length) != 0 ||
            line.text[length] != ' ')
            continue;
        (void)snprintf(milter, sizeof milter, "%.*s", (int)(line.length - length - 1),
                       line.text + length + 1);
        if (relay_has_word(setting->value, milter))
            continue;
        text_printf(&lost, "%s%s", lost.length == 0 ? "" : ", ", milter);
        text_printf(&seen->now, "%s %s\n", name, milter);
    }
    relay_our_milter(seen->relay, ours, sizeof ours);
    if (lost.length > 0)
        relay_say(setting, RELAY_MAYBE,
                  "%s named %.400s at an earlier check, and no longer does; write: %s = "
                  "%.400s, %s; or, if that is intended, remove %s",
                  name, text_string(&lost), setting->name, text_string(&lost), ours,
                  seen->path);
    text_clear(&lost);
}

static void look(struct seen_milters *seen, const struct postconf_service *service,
                 const char *name)
{
    char whole[700];
    const struct relay_setting setting = relay_setting_of(seen->relay, service, name);
    name_of(&setting, whole, sizeof whole);
    if (service == NULL || postconf_is_own(seen->relay->postconf, service, name))
        keep_now(seen, &setting, whole);
    tell_lost(seen, &setting, whole);
}

static void look_everywhere(struct seen_milters *seen)
{
    static const char *const parameters[] = {"smtpd_milters", "non_smtpd_milters"};
    const struct postconf *postconf = seen->relay->postconf;
    for (size_t p = 0; p < sizeof parameters / sizeof parameters[0]; p++) {
        look(seen, NULL, parameters[p]);
        for (size_t i = 0; i < postconf->service_count; i++)
            look(seen, &postconf->services[i], parameters[p]);
    }
}

/* Gives a file that root wrote to the folder's owner, who must read it too, but never a
 * file that the owner has put in its place. */
static void give_away(const char *path, const char *folder)
{
    struct stat info;
    struct stat owner;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1 &&
        stat(folder, &owner) == 0)
        (void)!fchown(fd, owner.st_uid, owner.st_gid);
    (void)close(fd);
}

/* A failure to write is not the relay's fault, so it is not reported. */
static void save(const struct seen_milters *seen, const char *folder)
{
    char temporary[PATH_SIZE + 10];
    struct error error = {0};
    (void)snprintf(temporary, sizeof temporary, "%s.new", seen->path);
    if (seen->now.failed ||
        durable_replace(seen->path, temporary, text_string(&seen->now), seen->now.length,
                        &error) != STATUS_OK)
        return;
    if (geteuid() == 0)
        give_away(seen->path, folder);
}

void relay_check_seen(const struct relay *relay)
{
    struct file file = {0};
    struct error error = {0};
    struct seen_milters seen = {.relay = relay};
    const char *state_file = relay->settings->store.state_file;
    const char *slash = strrchr(state_file, '/');
    char *folder =
        slash == NULL ? NULL : strndup(state_file, (size_t)(slash - state_file));
    if (folder == NULL)
        return;
    (void)snprintf(seen.path, sizeof seen.path, "%s/milters", folder);
    if (file_read(seen.path, SEEN_BYTES_MAX, &file, &error) == STATUS_OK) {
        seen.before = file.data;
        seen.length = file.length;
    }
    look_everywhere(&seen);
    if (seen.length != seen.now.length ||
        (seen.length > 0 &&
         memcmp(seen.before, text_string(&seen.now), seen.length) != 0))
        save(&seen, folder);
    file_clear(&file);
    text_clear(&seen.now);
    free(folder);
}
