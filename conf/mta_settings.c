/* mailbrake-mta reads nothing but this, so that no rule parser runs as root. */
#include "conf/mta_settings.h"

#include <stddef.h>
#include <stdlib.h>

#include "conf/group.h"
#include "conf/value.h"

static const char *const types[] = {"postfix", "sendmail", NULL};
const char *const mta_settings_contents[] = {"none", "subject", "text", NULL};

#define MTA(member) .offset = offsetof(struct mta_settings, member)

static const struct option options[] = {
    {.name = "mta.type",
     .read = value_word,
     MTA(type),
     .initial = "postfix",
     .words = types,
     .restart = true},
    {.name = "mta.config_directory",
     .read = value_path,
     MTA(config_directory),
     .initial = "/etc/postfix",
     .min = 1,
     .max = READER_PATH_MAX,
     .restart = true},
    {.name = "mta.helper",
     .read = value_path,
     MTA(helper),
     .initial = "/run/mailbrake/mta.sock",
     .min = 1,
     .max = READER_SOCKET_MAX,
     .restart = true},
};

const struct option_table mta_settings_table = {options,
                                                sizeof options / sizeof options[0]};

/* It stands in another group, whose rest is not for us. */
static void read_content(struct reader *reader, enum content *out)
{
    static const struct option option = {.name = "quarantine.content",
                                         .words = mta_settings_contents};
    const struct tree *tree = &reader->tree;
    const struct node *node =
        tree_find(tree, tree_find(tree, tree_root(tree), "quarantine"), "content");
    *out = CONTENT_SUBJECT;
    if (node != NULL)
        value_word(reader, &option, node, out);
}

enum status mta_settings_load(const char *path, struct mta_settings *out,
                              struct problems *problems)
{
    struct mta_settings settings = {0};
    struct reader reader = {.problems = problems};
    size_t errors = problems->errors;
    enum status status = reader_open(&reader, path);
    if (status == STATUS_OK) {
        group_read_section(&reader, &mta_settings_table, "mta", &settings);
        read_content(&reader, &settings.content);
        status = reader.failed                ? STATUS_NOMEM
                 : problems->errors == errors ? STATUS_OK
                                              : STATUS_INVALID;
    }
    reader_close(&reader);
    if (status != STATUS_OK)
        mta_settings_clear(&settings);
    *out = settings;
    return status;
}

void mta_settings_clear(struct mta_settings *settings)
{
    free(settings->config_directory);
    free(settings->helper);
    *settings = (struct mta_settings){0};
}
