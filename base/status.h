/* How a call went. Shared by every layer; a refusal by policy is a value, not a status.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum status {
    STATUS_OK = 0,
    STATUS_NOMEM,       /* an allocation failed */
    STATUS_INVALID,     /* the input is wrong; the error says where */
    STATUS_IO,          /* a system call failed; the error holds strerror's text */
    STATUS_LIMIT,       /* a cap was passed */
    STATUS_NOT_FOUND,   /* nothing of that name */
    STATUS_UNAVAILABLE, /* the other side does not answer, or not in time */
    STATUS_CONFLICT,    /* somebody else changed it in between */
};

/* Detail of a failure, owned by the caller; file may be empty and line 0. */
struct error {
    char text[400];
    char file[256];
    int line;
};

/* Fills error (NULL is allowed) and returns status, so that a caller can return it. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The same, with a place in a file; line 0 means the whole file. */
enum status error_set_at(struct error *error, enum status status, const char *file,
                         int line, const char *format, ...) PRINTF_LIKE(5, 6);

#endif
