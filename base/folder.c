/* The command for a folder that the package creates at boot is systemd-tmpfiles(8), for
 * any other install(1). */
#include "base/folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

/* As in systemd/tmpfiles.conf. */
static const char *const made_at_boot[] = {"/run/mailbrake/", "/var/lib/mailbrake/",
                                           "/var/spool/postfix/mailbrake/"};

/* The length of the folder's name; 0 when the file lies in the root or in no folder. */
static size_t folder_length(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash == NULL ? 0 : (size_t)(slash - file);
}

bool folder_exists(const char *file)
{
    struct stat info;
    struct text folder = {0};
    size_t length = folder_length(file);
    text_add(&folder, file, length);
    bool missing =
        length > 0 && !folder.failed &&
        (stat(text_string(&folder), &info) != 0 ? errno == ENOENT || errno == ENOTDIR
                                                : !S_ISDIR(info.st_mode));
    text_clear(&folder);
    return !missing;
}

void folder_explain(const char *file, const char *owners, char *out, size_t size)
{
    size_t length = folder_length(file);
    for (size_t i = 0; i < sizeof made_at_boot / sizeof *made_at_boot; i++) {
        if (strlen(made_at_boot[i]) == length + 1 &&
            strncmp(file, made_at_boot[i], length + 1) == 0) {
            (void)snprintf(out, size,
                           "the folder of %s does not exist; create it: systemd-tmpfiles "
                           "--create mailbrake.conf",
                           file);
            return;
        }
    }
    const char *group = strchr(owners, ':');
    int user = group == NULL ? (int)strlen(owners) : (int)(group - owners);
    (void)snprintf(out, size,
                   "the folder of %s does not exist; create it: install -d -m 2750 -o "
                   "%.*s -g %s %.*s",
                   file, user, owners, group == NULL ? owners : group + 1, (int)length,
                   file);
}
