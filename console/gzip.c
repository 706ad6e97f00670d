/* By zlib, at its fastest level: the data is as fresh as a second. */
#include "console/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/text.h"

enum { LEVEL = 1, WINDOW_GZIP = 15 + 16, MEMORY = 8 };

bool gzip_is_accepted(const char *encodings)
{
    const char *place = encodings == NULL ? NULL : strstr(encodings, "gzip");
    const char *quality = place == NULL ? NULL : place + strlen("gzip");
    if (quality == NULL)
        return false;
    quality += strspn(quality, " ");
    if (*quality != ';')
        return true;
    quality += 1 + strspn(quality + 1, " ");
    quality = text_after(quality, "q=0"); /* "q=0", "q=0.0": not gzip */
    return quality == NULL || quality[strspn(quality, ".0")] >= '1';
}

enum status gzip_pack(const char *data, size_t length, char **out, size_t *out_length)
{
    z_stream stream = {0};
    if (length > UINT32_MAX / 2 || deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_GZIP,
                                                MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return STATUS_NOMEM;
    size_t room = deflateBound(&stream, (uLong)length);
    char *packed = malloc(room);
    stream.next_in = (z_const Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)room;
    int result = packed == NULL ? Z_MEM_ERROR : deflate(&stream, Z_FINISH);
    size_t used = stream.total_out;
    (void)deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        free(packed);
        return STATUS_NOMEM;
    }
    *out = packed;
    *out_length = used;
    return STATUS_OK;
}
