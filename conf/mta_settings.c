/* mailbrake-mta reads this group alone, so that no rule parser runs as root. */
#include "conf/mta_settings.h"

#include <stddef.h>
#include <stdlib.h>

#include "conf/group.h"
#include "conf/value.h"

static const char *const types[] = {"postfix", "sendmail", NULL};

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

enum status mta_settings_load(const char *path, struct mta_settings *out,
                              struct problems *problems)
{
    struct mta_settings settings = {0};
    struct reader reader = {.problems = problems};
    size_t errors = problems->errors;
    enum status status = reader_open(&reader, path);
    if (status == STATUS_OK) {
        group_read_section(&reader, &mta_settings_table, "mta", &settings);
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
