/* Any configuration: understood without an error, or refused with one, and then nothing
 * is left of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/settings.h"
#include "fuzz.h"

/* libconfig 1.5 loses the string that it was reading at a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct settings settings;
    struct problems problems = {0};
    int fd = memfd_create("settings", MFD_CLOEXEC);
    claim(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum status status = settings_load(path, &settings, &problems);
    claim((status == STATUS_OK) == (problems.errors == 0));
    if (status == STATUS_OK) {
        claim(settings.store.timeout_ms >= 10 && settings.store.nodes >= 1);
        claim(settings.policy.rule_count == 0 || settings.policy.rules != NULL);
    } else {
        free(settings_find_control(path));
        claim(settings.file == NULL && settings.list_count == 0);
        claim(settings.policy.rule_count == 0);
    }
    settings_clear(&settings);
    problems_clear(&problems);
    (void)close(fd);
    return 0;
}
