/* The queue's folder is what main.cf says, or where the packages put it. Read here, since
 * mailbraked runs none of the MTA's programs. */
#include "quarantine/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum { PATH_SIZE = 1024 };

/* The last plain "queue_directory = PATH" of main.cf; false when there is none. */
static bool read_queue_directory(const char *config_directory, char out[PATH_SIZE])
{
    char path[PATH_SIZE];
    char value[PATH_SIZE];
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/main.cf", config_directory);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (getline(&line, &size, file) > 0) {
        if (sscanf(line, "queue_directory = %1023s", value) == 1 && value[0] == '/') {
            memcpy(out, value, sizeof value);
            found = true;
        }
    }
    free(line);
    (void)fclose(file);
    return found;
}

bool room_is_left(const struct settings *settings)
{
    char folder[PATH_SIZE] = "/var/spool/mqueue";
    struct statvfs disk;
    if (settings->mta.type == MTA_POSTFIX &&
        !read_queue_directory(settings->mta.config_directory, folder))
        (void)snprintf(folder, sizeof folder, "/var/spool/postfix");
    if (statvfs(folder, &disk) != 0)
        return true;
    return (int64_t)(disk.f_bavail * disk.f_frsize) >=
           settings->quarantine.min_free_bytes;
}
