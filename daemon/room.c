/* mailbraked runs none of the MTA's programs, so the helper names the queue's folder. Its
 * free space is read each time. */
#include "daemon/room.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "quarantine/helper.h"

enum status room_init(struct room *room)
{
    room->folder = (struct text){0};
    return pthread_mutex_init(&room->mutex, NULL) == 0 ? STATUS_OK : STATUS_NOMEM;
}

enum status room_ask(struct room *room, const char *helper, int timeout_ms,
                     struct error *error)
{
    struct statvfs disk;
    struct text folder = {0};
    enum status status = helper_queue(helper, timeout_ms, &folder, error);
    if (status == STATUS_OK && folder.failed)
        status = error_set(error, STATUS_NOMEM, "out of memory");
    if (status == STATUS_OK && statvfs(text_string(&folder), &disk) != 0)
        status =
            error_set(error, STATUS_IO, "%s: %s", text_string(&folder), strerror(errno));
    if (status == STATUS_OK) {
        (void)pthread_mutex_lock(&room->mutex);
        text_clear(&room->folder);
        room->folder = folder;
        (void)pthread_mutex_unlock(&room->mutex);
    } else {
        text_clear(&folder);
    }
    return status;
}

bool room_is_left(struct room *room, int64_t min_free_bytes)
{
    struct statvfs disk;
    (void)pthread_mutex_lock(&room->mutex);
    bool known = statvfs(text_string(&room->folder), &disk) == 0;
    (void)pthread_mutex_unlock(&room->mutex);
    /* frsize in 64 bits: where long has 32, the product does not fit */
    return !known ||
           (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize >= (uint64_t)min_free_bytes;
}
