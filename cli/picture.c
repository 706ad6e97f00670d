/* The file is replaced at once: nobody sees half a picture. */
#include "cli/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/output.h"
#include "replay/report_views.h"

/* Gives the picture the mode of any new file: a state file's would hide it. */
static void make_readable(const char *path)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)chmod(path, 0666 & ~mask);
}

bool picture_write(const struct report *report, const char *path)
{
    struct text picture = {0};
    struct error error = {0};
    char *temporary = NULL;
    enum status status = report_svg(report, &picture);
    if (status == STATUS_OK && asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        status = STATUS_NOMEM;
    }
    if (status == STATUS_OK)
        status = durable_replace(path, temporary, picture.data, picture.length, &error);
    if (status == STATUS_OK)
        make_readable(path);
    else if (status == STATUS_NOMEM)
        output_complaint("out of memory");
    else
        (void)fprintf(stderr, "mailbrake: %s: %s\n", error.file, error.text);
    free(temporary);
    text_clear(&picture);
    return status == STATUS_OK;
}
