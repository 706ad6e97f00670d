/* Each line is one write(2), so lines of several threads never mix. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 1000, VALUE_MAX_BYTES = 300, THROTTLED_KINDS = 64 };

static const char *program_name = "mailbrake";
static bool to_journal;
static atomic_uint_fast64_t suppressed_total;

/* JOURNAL_STREAM may be inherited: the journal reads stderr only if it names its file. */
static bool is_journal(const char *stream)
{
    struct stat file;
    uintmax_t device;
    uintmax_t inode;
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    return stream != NULL && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &file) == 0 && file.st_dev == device &&
           file.st_ino == inode;
}

void log_open(const char *program)
{
    program_name = program;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): only one thread so far */
    to_journal = is_journal(getenv("JOURNAL_STREAM"));
}

static void emit(enum severity severity, const char *data, size_t length)
{
    char head[64];
    const char *word = severity == SEVERITY_ERROR     ? ": error: "
                       : severity == SEVERITY_WARNING ? ": warning: "
                                                      : ": ";
    if (to_journal)
        (void)snprintf(head, sizeof head, "<%d>", (int)severity);
    else
        text_join(head, sizeof head, program_name, word);
    struct iovec parts[] = {
        {.iov_base = head, .iov_len = strlen(head)},
        {.iov_base = (void *)(uintptr_t)data, .iov_len = length},
        {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1},
    };
    ssize_t written = writev(STDERR_FILENO, parts, 3);
    (void)written; /* there is nowhere left to report it */
}

static void PRINTF_LIKE(2, 0)
    print(enum severity severity, const char *format, va_list args)
{
    char plain[LINE_MAX_BYTES];
    char escaped[4 * LINE_MAX_BYTES]; /* room for any: without memory, too, it is said */
    struct text line = text_on(escaped, sizeof escaped);
    int length = vsnprintf(plain, sizeof plain, format, args);
    if (length < 0)
        return;
    for (const char *c = plain; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            text_add_byte(&line, *c);
        else
            text_add_escaped(&line, c, 1, 1);
    }
    emit(severity, text_string(&line), line.length);
    text_clear(&line);
}

void log_print(enum severity severity, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(severity, format, args);
    va_end(args);
}

/* The lines of one format in one minute. */
struct throttle {
    const char *format;
    int64_t minute;
    unsigned lines;
    unsigned suppressed;
};

static pthread_mutex_t throttle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct throttle throttles[THROTTLED_KINDS];

/* True when the line may be written; *out_suppressed is how many before it were not. */
static bool throttle_admits(const char *format, unsigned *out_suppressed)
{
    int64_t minute = clock_monotonic_us() / 60000000;
    bool admitted = true;
    *out_suppressed = 0;

    pthread_mutex_lock(&throttle_lock);
    struct throttle *slot = NULL;
    for (size_t i = 0; i < THROTTLED_KINDS && slot == NULL; i++) {
        if (throttles[i].format == format || throttles[i].format == NULL)
            slot = &throttles[i];
    }
    if (slot != NULL) {
        slot->format = format;
        if (slot->minute != minute) {
            *out_suppressed = slot->suppressed;
            *slot = (struct throttle){.format = format, .minute = minute};
        }
        admitted = slot->lines < LOG_PER_MINUTE;
        if (admitted)
            slot->lines++;
        else
            slot->suppressed++;
    }
    pthread_mutex_unlock(&throttle_lock);
    if (!admitted)
        atomic_fetch_add(&suppressed_total, 1);
    return admitted;
}

void log_throttled(enum severity severity, const char *format, ...)
{
    unsigned suppressed;
    if (!throttle_admits(format, &suppressed))
        return;
    if (suppressed > 0)
        log_print(SEVERITY_WARNING, "%u lines like the next one were suppressed",
                  suppressed);
    va_list args;
    va_start(args, format);
    print(severity, format, args);
    va_end(args);
}

static void add_name(struct text *line, const char *name)
{
    if (line->length > 0)
        text_add_byte(line, ' ');
    text_add_string(line, name);
    text_add_byte(line, '=');
}

void log_field(struct text *line, const char *name, const char *value)
{
    bool quote = value[0] == '\0' || strpbrk(value, " =") != NULL;
    add_name(line, name);
    if (quote)
        text_add_byte(line, '"');
    text_add_escaped(line, value, strlen(value), VALUE_MAX_BYTES);
    if (quote)
        text_add_byte(line, '"');
}

void log_field_number(struct text *line, const char *name, int64_t value)
{
    add_name(line, name);
    text_add_number(line, value);
}

void log_line(enum severity severity, const struct text *line)
{
    emit(severity, text_string(line), line->length);
}

uint64_t log_suppressed(void)
{
    return atomic_load(&suppressed_total);
}
