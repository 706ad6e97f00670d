/* What people wrote into their .forward: mail to them is one recipient for us. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/mta/relay_parts.h"
#include "lists/file.h"
#include "lists/lines.h"

enum { USERS_MAX = 20000, FORWARD_BYTES_MAX = 1024 * 1024 };

/* A path of forward_path for one user; false when it names what only mail can tell. */
static bool expand(const char *path, const struct passwd *user, char *out, size_t size)
{
    static const struct {
        const char *name;
        bool home;
    } names[] = {
        {"$home", true}, {"${home}", true}, {"$user", false}, {"${user}", false}};
    size_t used = 0;
    while (*path != '\0' && used + 1 < size) {
        const char *rest = NULL;
        for (size_t i = 0; i < sizeof names / sizeof names[0] && rest == NULL; i++) {
            rest = text_after(path, names[i].name);
            if (rest != NULL)
                used += (size_t)snprintf(out + used, size - used, "%s",
                                         names[i].home ? user->pw_dir : user->pw_name);
        }
        if (rest == NULL && *path == '$')
            return false;
        if (rest == NULL && used + 1 < size)
            out[used++] = *path;
        path = rest == NULL ? path + 1 : rest;
    }
    if (used >= size)
        return false;
    out[used] = '\0';
    return out[0] == '/';
}

/* A list among them is all its members. */
static size_t count_target(const struct relay *relay, const char *start, const char *end)
{
    char target[700];
    while (start < end && lines_is_blank(*start))
        start++;
    while (start < end && lines_is_blank(end[-1]))
        end--;
    if (start == end)
        return 0;
    (void)snprintf(target, sizeof target, "%.*s", (int)(end - start), start);
    const struct list *list = relay_find_list(relay, target);
    return (list == NULL ? 1 : (size_t)list->size) +
           (text_after(target, ":include:") != NULL ? 1 : 0);
}

/* Lines, and what stands between commas in them. */
static size_t count_targets(const struct relay *relay, const char *path)
{
    struct file file = {0};
    struct error error = {0};
    struct line line;
    struct stat info;
    size_t count = 0;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) ||
        file_read(path, FORWARD_BYTES_MAX, &file, &error) != STATUS_OK)
        return 0;
    struct lines lines = lines_of(file.data, file.length);
    while (lines_next_logical(&lines, &line)) {
        const char *end = line.text + line.length;
        const char *start = line.text;
        bool quoted = false;
        for (const char *c = start; c < end; c++) {
            quoted = *c == '"' ? !quoted : quoted;
            if (quoted || (*c != ',' && *c != '\n' && *c != '\0'))
                continue;
            count += count_target(relay, start, c);
            start = c + 1;
        }
        count += count_target(relay, start, end);
    }
    file_clear(&file);
    return count;
}

struct forwards {
    const struct relay *relay;
    char path[WORDS_ITEM_SIZE]; /* the first */
    char user[300];
    size_t targets;
    size_t count;
};

static void look(struct forwards *forwards, const char *path, const struct passwd *user)
{
    char whole[WORDS_ITEM_SIZE];
    if (!expand(path, user, whole, sizeof whole))
        return;
    size_t targets = count_targets(forwards->relay, whole);
    if (targets < 2 || forwards->count++ > 0)
        return;
    forwards->targets = targets;
    (void)snprintf(forwards->path, sizeof forwards->path, "%s", whole);
    (void)snprintf(forwards->user, sizeof forwards->user, "%s", user->pw_name);
}

/* Only files that are there and send to several: one line for all of them. */
void relay_judge_forward(const struct relay_setting *setting)
{
    struct forwards forwards = {.relay = setting->relay};
    const struct passwd *user;
    setpwent();
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a single thread */
    for (int i = 0; i < USERS_MAX && (user = getpwent()) != NULL; i++) {
        struct words words = words_of(setting->value);
        const char *path;
        while ((path = words_next(&words)) != NULL)
            look(&forwards, path, user);
    }
    endpwent();
    if (forwards.count > 0)
        relay_say(setting, RELAY_MAYBE,
                  "%s sends mail of %s on to %zu addresses (%zu such files), which "
                  "Mailbrake counts as one recipient; write them into aliases(5) instead",
                  forwards.path, forwards.user, forwards.targets, forwards.count);
}
