/* The group mta: all of the configuration that mailbrake-mta(8) reads. */
#ifndef CONF_MTA_SETTINGS_H
#define CONF_MTA_SETTINGS_H

#include "base/problems.h"
#include "base/status.h"

enum mta_type { MTA_POSTFIX, MTA_SENDMAIL };

struct mta_settings {
    enum mta_type type;
    char *config_directory; /* absolute, as helper */
    char *helper;           /* the helper's socket */
};

struct option_table;
extern const struct option_table mta_settings_table; /* for conf/ */

/* Reads the group alone: what is wrong elsewhere is an error only if libconfig can't
 * parse it. OK; otherwise *out is empty: INVALID (errors in problems), IO when the file
 * can't be read, NOMEM. */
enum status mta_settings_load(const char *path, struct mta_settings *out,
                              struct problems *problems) MUST_CHECK;
void mta_settings_clear(struct mta_settings *settings);

#endif
