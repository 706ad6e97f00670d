/* Two buffers: what the file has, and what that unpacks to. Lines lie in the second; what
 * is left of it moves to its front before it is filled again. */
#include "replay/log_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { PACKED_SIZE = 128 * 1024, PLAIN_SIZE = 4 * LOG_LINE_MAX };

enum packing { PACKING_UNKNOWN, PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct log_input {
    char path[256];
    int fd;
    bool file_ended, ended; /* ended: nothing more comes into plain */
    enum packing packing;
    bool within; /* a gzip member or a zstd frame is open */
    z_stream gzip;
    bool has_gzip;
    ZSTD_DStream *zstd;
    uint64_t read_bytes, size;
    int64_t written_ms;
    size_t packed_at, packed_end;
    size_t plain_at, plain_end;
    unsigned char packed[PACKED_SIZE];
    char plain[PLAIN_SIZE];
};

enum status log_input_open(const char *path, struct log_input **out, struct error *error)
{
    struct log_input *input = calloc(1, sizeof *input);
    struct stat stat;
    if (input == NULL)
        return STATUS_NOMEM;
    (void)strncpy(input->path, path, sizeof input->path - 1);
    input->written_ms = INT64_MAX;
    input->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &stat) != 0) {
        int saved = errno;
        log_input_free(input);
        return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(saved));
    }
    if (S_ISREG(stat.st_mode) && input->fd != STDIN_FILENO) {
        input->size = (uint64_t)stat.st_size;
        input->written_ms =
            (int64_t)stat.st_mtim.tv_sec * 1000 + stat.st_mtim.tv_nsec / 1000000;
        (void)posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    *out = input;
    return STATUS_OK;
}

void log_input_free(struct log_input *input)
{
    if (input == NULL)
        return;
    if (input->has_gzip)
        (void)inflateEnd(&input->gzip);
    (void)ZSTD_freeDStream(input->zstd);
    if (input->fd > STDIN_FILENO)
        (void)close(input->fd);
    free(input);
}

static enum status damaged(const struct log_input *input, struct error *error)
{
    return error_set_at(error, STATUS_CONFLICT, input->path, 0,
                        "the compressed data is damaged, or cut off");
}

/* More of the file into packed, which is empty. */
static enum status read_packed(struct log_input *input, struct error *error)
{
    ssize_t count;
    do
        count = read(input->fd, input->packed, sizeof input->packed);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_set_at(error, STATUS_IO, input->path, 0, "%s", strerror(errno));
    input->file_ended = count == 0;
    input->packed_at = 0;
    input->packed_end = (size_t)count;
    input->read_bytes += (uint64_t)count;
    return STATUS_OK;
}

static bool begins_with(const struct log_input *input, const char *magic, size_t length)
{
    return input->packed_end >= length && memcmp(input->packed, magic, length) == 0;
}

/* How the file is packed. */
static enum status start(struct log_input *input, struct error *error)
{
    input->packing = PACKING_NONE;
    if (begins_with(input, "\x1f\x8b", 2)) {
        input->packing = PACKING_GZIP;
        if (inflateInit2(&input->gzip, 16 + MAX_WBITS) != Z_OK)
            return STATUS_NOMEM;
        input->has_gzip = true;
    } else if (begins_with(input, "\x28\xb5\x2f\xfd", 4)) {
        input->packing = PACKING_ZSTD;
        input->zstd = ZSTD_createDStream();
        if (input->zstd == NULL)
            return STATUS_NOMEM;
    } else if (begins_with(input,
                           "\xfd"
                           "7zXZ",
                           5) ||
               begins_with(input, "BZh", 3)) {
        return error_set_at(
            error, STATUS_CONFLICT, input->path, 0,
            "is compressed with xz or bzip2: decompress it, and read it as -");
    } else if (begins_with(input, "LPKSHHRH", 8)) {
        return error_set_at(
            error, STATUS_CONFLICT, input->path, 0,
            "is a journal: read the output of journalctl -o export --file");
    }
    return STATUS_OK;
}

static enum status unpack_gzip(struct log_input *input, struct error *error)
{
    z_stream *gzip = &input->gzip;
    int result;
    gzip->next_in = input->packed + input->packed_at;
    gzip->avail_in = (uInt)(input->packed_end - input->packed_at);
    gzip->next_out = (Bytef *)input->plain + input->plain_end;
    gzip->avail_out = (uInt)(sizeof input->plain - input->plain_end);
    result = inflate(gzip, Z_NO_FLUSH);
    input->packed_at = input->packed_end - gzip->avail_in;
    input->plain_end = sizeof input->plain - gzip->avail_out;
    if (result == Z_OK)
        input->within = true;
    if (result == Z_STREAM_END) { /* another member may follow */
        input->within = false;
        result = inflateReset(gzip);
    }
    if (result == Z_MEM_ERROR)
        return STATUS_NOMEM;
    return result == Z_OK || result == Z_BUF_ERROR ? STATUS_OK : damaged(input, error);
}

static enum status unpack_zstd(struct log_input *input, struct error *error)
{
    ZSTD_inBuffer in = {input->packed, input->packed_end, input->packed_at};
    ZSTD_outBuffer out = {input->plain, sizeof input->plain, input->plain_end};
    size_t result = ZSTD_decompressStream(input->zstd, &out, &in);
    if (in.pos != input->packed_at || out.pos != input->plain_end)
        input->within = result != 0;
    input->packed_at = in.pos;
    input->plain_end = out.pos;
    return ZSTD_isError(result) ? damaged(input, error) : STATUS_OK;
}

static void copy_plain(struct log_input *input)
{
    size_t room = sizeof input->plain - input->plain_end;
    size_t have = input->packed_end - input->packed_at;
    size_t count = have < room ? have : room;
    memcpy(input->plain + input->plain_end, input->packed + input->packed_at, count);
    input->packed_at += count;
    input->plain_end += count;
}

static enum status unpack(struct log_input *input, struct error *error)
{
    if (input->packing == PACKING_GZIP)
        return unpack_gzip(input, error);
    if (input->packing == PACKING_ZSTD)
        return unpack_zstd(input, error);
    copy_plain(input);
    return STATUS_OK;
}

/* More into plain, which has room. */
static enum status fill(struct log_input *input, struct error *error)
{
    enum status status = STATUS_OK;
    size_t before = input->plain_end;
    while (input->plain_end == before && !input->ended) {
        if (input->packed_at == input->packed_end && !input->file_ended)
            status = read_packed(input, error);
        if (status == STATUS_OK && input->packing == PACKING_UNKNOWN)
            status = start(input, error);
        if (status == STATUS_OK)
            status = unpack(input, error);
        if (status != STATUS_OK)
            return status;
        input->ended = input->plain_end == before && input->file_ended &&
                       input->packed_at == input->packed_end;
    }
    return input->ended && input->within ? damaged(input, error) : STATUS_OK;
}

/* Makes room in plain; what lies there stays. */
static void make_room(struct log_input *input)
{
    size_t left = input->plain_end - input->plain_at;
    memmove(input->plain, input->plain + input->plain_at, left);
    input->plain_at = 0;
    input->plain_end = left;
}

/* Moves on past the end of a line of which plain has the first LOG_LINE_MAX bytes; these
 * are kept in front. */
static enum status skip_rest(struct log_input *input, struct error *error)
{
    enum status status = STATUS_OK;
    char *end = NULL;
    make_room(input);
    while (status == STATUS_OK && end == NULL && !input->ended) {
        input->plain_end = LOG_LINE_MAX;
        status = fill(input, error);
        end = memchr(input->plain + LOG_LINE_MAX, '\n', input->plain_end - LOG_LINE_MAX);
    }
    input->plain_at = end == NULL ? input->plain_end : (size_t)(end + 1 - input->plain);
    return status;
}

enum status log_input_line(struct log_input *input, struct log_slice *out,
                           struct error *error)
{
    size_t looked = 0;
    for (;;) {
        char *from = input->plain + input->plain_at;
        size_t have = input->plain_end - input->plain_at;
        char *end = memchr(from + looked, '\n', have - looked);
        if (end != NULL || (input->ended && have > 0)) {
            size_t length = end == NULL ? have : (size_t)(end - from);
            *out =
                (struct log_slice){from, length > LOG_LINE_MAX ? LOG_LINE_MAX : length};
            input->plain_at += length + (end != NULL);
            return STATUS_OK;
        }
        if (input->ended)
            return STATUS_NOT_FOUND;
        if (have >= LOG_LINE_MAX) {
            *out = (struct log_slice){input->plain, LOG_LINE_MAX};
            return skip_rest(input, error);
        }
        looked = have;
        if (sizeof input->plain - input->plain_end < LOG_LINE_MAX)
            make_room(input);
        enum status status = fill(input, error);
        if (status != STATUS_OK)
            return status;
    }
}

/* At least length bytes, of at most LOG_LINE_MAX, into plain. */
static enum status fill_up_to(struct log_input *input, size_t length, struct error *error)
{
    while (input->plain_end - input->plain_at < length) {
        enum status status;
        if (input->ended)
            return STATUS_NOT_FOUND;
        if (sizeof input->plain - input->plain_end < LOG_LINE_MAX)
            make_room(input);
        status = fill(input, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status log_input_bytes(struct log_input *input, uint64_t length,
                            struct log_slice *out, struct error *error)
{
    size_t kept = length > LOG_LINE_MAX ? LOG_LINE_MAX : (size_t)length;
    enum status status = fill_up_to(input, kept, error);
    uint64_t left = length - kept;
    if (status != STATUS_OK)
        return status;
    if (left > 0)
        make_room(input);
    *out = (struct log_slice){input->plain + input->plain_at, kept};
    input->plain_at += kept;
    while (left > 0) {
        size_t have = input->plain_end - input->plain_at;
        size_t skipped = have < left ? have : (size_t)left;
        input->plain_at += skipped;
        left -= skipped;
        if (left > 0 && input->ended)
            return STATUS_NOT_FOUND;
        if (left == 0)
            break;
        input->plain_at = input->plain_end = kept; /* what was kept stays in front */
        status = fill(input, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

uint64_t log_input_read_bytes(const struct log_input *input)
{
    return input->read_bytes;
}

uint64_t log_input_size(const struct log_input *input)
{
    return input->size;
}

int64_t log_input_written_ms(const struct log_input *input)
{
    return input->written_ms;
}
