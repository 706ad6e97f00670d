/* Preloaded into the Sendmail of the tests: what it tells syslog goes to the file that
 * MAIL_LOG names, as a syslog daemon would write it. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char path[4096];

/* Sendmail soon closes its files and forgets most of its environment. */
__attribute__((constructor)) static void keep_path(void)
{
    const char *value = getenv("MAIL_LOG");
    (void)snprintf(path, sizeof path, "%s", value == NULL ? "" : value);
}

static void write_line(const char *format, va_list arguments)
{
    char line[4096];
    time_t now = time(NULL);
    struct tm tm;
    size_t length =
        strftime(line, sizeof line, "%b %e %H:%M:%S relay ", localtime_r(&now, &tm));
    length += (size_t)snprintf(line + length, 64, "sm-mta[%d]: ", (int)getpid());
    int more = vsnprintf(line + length, sizeof line - length - 1, format, arguments);
    length +=
        more < (int)(sizeof line - length - 1) ? (size_t)more : sizeof line - length - 2;
    line[length++] = '\n';
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0)
        return;
    (void)!write(file, line, length);
    (void)close(file);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list arguments;
    (void)priority;
    (void)flag;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
}

void syslog(int priority, const char *format, ...)
{
    va_list arguments;
    (void)priority;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
}
