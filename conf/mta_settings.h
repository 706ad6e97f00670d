/* The group mta and quarantine.content: all of the configuration that mailbrake-mta(8)
 * reads. */
#ifndef CONF_MTA_SETTINGS_H
#define CONF_MTA_SETTINGS_H

#include "base/problems.h"
#include "base/status.h"

enum mta_type { MTA_POSTFIX, MTA_SENDMAIL };

/* What an administrator may read of a held message. */
enum content { CONTENT_NONE, CONTENT_SUBJECT, CONTENT_TEXT };

struct mta_settings {
    enum mta_type type;
    char *config_directory; /* absolute, as helper */
    char *helper;           /* the helper's socket */
    enum content content;   /* quarantine.content */
};

struct option_table;
extern const struct option_table mta_settings_table; /* for conf/, as the other */
extern const char *const mta_settings_contents[];

/* Reads nothing but these: what is wrong elsewhere is an error only if libconfig can't
 * parse it. OK; otherwise *out is empty: INVALID (errors in problems), IO when the file
 * can't be read, NOMEM. */
enum status mta_settings_load(const char *path, struct mta_settings *out,
                              struct problems *problems) MUST_CHECK;
void mta_settings_clear(struct mta_settings *settings);

#endif
