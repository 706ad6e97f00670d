/* mailbrake-console needs no rules, so it reads none. */
#include "conf/console_settings.h"

#include <stddef.h>
#include <stdlib.h>

#include "conf/group.h"
#include "conf/value.h"

enum { HOSTS_MAX = 32 };

#define CONSOLE(member) .offset = offsetof(struct console_settings, member)

/* The array is as long as the configuration's from the start; host_count is what is
 * filled. */
static void read_hosts(struct reader *reader, const struct option *option,
                       const struct node *node, void *field)
{
    struct console_settings *settings = field;
    settings->hosts = reader_items(reader, option, node, NODE_ARRAY, HOSTS_MAX, "names",
                                   sizeof *settings->hosts);
    for (size_t i = 0; settings->hosts != NULL && i < node->child_count; i++) {
        char **host = &settings->hosts[settings->host_count];
        value_name(reader, option, tree_child(&reader->tree, node, i), host);
        settings->host_count += *host != NULL;
    }
}

static const struct option options[] = {
    {.name = "console.hosts", .read = read_hosts, .min = 1, .max = 255},
    {.name = "console.user_header",
     .read = value_name,
     CONSOLE(user_header),
     .initial = "X-Remote-User",
     .min = 1,
     .max = 64},
    {.name = "console.proxy_user",
     .read = value_name,
     CONSOLE(proxy_user),
     .initial = "www-data",
     .min = 1,
     .max = 32},
    {.name = "console.user",
     .read = value_name,
     CONSOLE(user),
     .initial = "mailbrake-console",
     .min = 1,
     .max = 32},
};

const struct option_table console_settings_table = {options,
                                                    sizeof options / sizeof options[0]};

/* It stands in another group, whose rest is not for us. */
static void read_socket(struct reader *reader, char **out)
{
    static const struct option option = {
        .name = "control.socket", .min = 1, .max = READER_SOCKET_MAX};
    const struct tree *tree = &reader->tree;
    const struct node *node =
        tree_find(tree, tree_find(tree, tree_root(tree), "control"), "socket");
    if (node != NULL)
        value_path(reader, &option, node, out);
    else
        reader_keep(reader, out, CONSOLE_SETTINGS_SOCKET);
}

enum status console_settings_load(const char *path, struct console_settings *out,
                                  struct problems *problems)
{
    struct console_settings settings = {0};
    struct reader reader = {.problems = problems};
    size_t errors = problems->errors;
    enum status status = reader_open(&reader, path);
    if (status == STATUS_OK) {
        group_read_section(&reader, &console_settings_table, "console", &settings);
        read_socket(&reader, &settings.socket);
        status = reader.failed                ? STATUS_NOMEM
                 : problems->errors == errors ? STATUS_OK
                                              : STATUS_INVALID;
    }
    reader_close(&reader);
    if (status != STATUS_OK)
        console_settings_clear(&settings);
    *out = settings;
    return status;
}

void console_settings_clear(struct console_settings *settings)
{
    free(settings->user);
    free(settings->proxy_user);
    free(settings->user_header);
    for (size_t i = 0; i < settings->host_count; i++)
        free(settings->hosts[i]);
    free(settings->hosts);
    free(settings->socket);
    *settings = (struct console_settings){0};
}
