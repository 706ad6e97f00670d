/* What a call writes to stdout or stderr, for the tests that look at it. */
#ifndef TEST_CAPTURE_H
#define TEST_CAPTURE_H

#include <check.h>
#include <stdio.h>
#include <unistd.h>

enum { CAPTURE_SIZE = 1 << 20 };

struct capture {
    FILE *stream;
    FILE *file;
    int real;
};

/* From here on, stream goes to a file. */
static inline struct capture capture_begin(FILE *stream)
{
    struct capture capture = {.stream = stream, .file = tmpfile()};
    ck_assert_ptr_nonnull(capture.file);
    ck_assert_int_eq(fflush(stream), 0);
    capture.real = dup(fileno(stream));
    ck_assert_int_ge(capture.real, 0);
    ck_assert_int_ge(dup2(fileno(capture.file), fileno(stream)), 0);
    return capture;
}

/* Puts stream back; what was written, good until the next call. */
static inline const char *capture_end(struct capture *capture)
{
    static char written[CAPTURE_SIZE];
    (void)fflush(capture->stream);
    ssize_t length = pread(fileno(capture->file), written, sizeof written - 1, 0);
    (void)dup2(capture->real, fileno(capture->stream));
    (void)close(capture->real);
    (void)fclose(capture->file);
    ck_assert_int_ge(length, 0);
    written[length] = '\0';
    return written;
}

#endif
