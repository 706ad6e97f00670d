/* Postfix's own program reads its files, so that defaults, continuation lines and $ mean
 * here what they mean there. Only line numbers are looked up in main.cf itself. */
#include "cli/mta/postconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/program.h"
#include "base/text.h"

enum { TIMEOUT_MS = 30000 };

/* ---- what it prints ---- */

/* Takes the output line by line. */
struct postconf_reader {
    struct postconf *postconf;
    bool failed; /* without memory */
};

/* What `postconf -c DIRECTORY -x OPTION` prints, to take. */
static enum status run(const char *directory, const char *option,
                       void (*take)(void *context, const char *line),
                       struct postconf_reader *reader, struct error *error)
{
    const struct program program = {
        .words = {"/usr/sbin/postconf", "-c", directory, "-x", option},
        .take = take,
        .context = reader,
    };
    enum status status = program_run(&program, clock_deadline_us(TIMEOUT_MS), error);
    if (status == STATUS_OK && reader->failed)
        return error_set(error, STATUS_NOMEM, "out of memory");
    return status;
}

static bool add_parameter(struct postconf *postconf, const char *line)
{
    const char *equals = strstr(line, " =");
    if (equals == NULL)
        return true; /* a warning of postconf's */
    if (!array_reserve(&postconf->parameters, postconf->parameter_count,
                       sizeof *postconf->parameters))
        return false;
    struct postconf_parameter *parameter =
        &postconf->parameters[postconf->parameter_count++];
    parameter->name = strndup(line, (size_t)(equals - line));
    parameter->value = strdup(equals + 2 + strspn(equals + 2, " "));
    return parameter->name != NULL && parameter->value != NULL;
}

static void take_parameter(void *context, const char *line)
{
    struct postconf_reader *reader = context;
    reader->failed = reader->failed || !add_parameter(reader->postconf, line);
}

/* "- " is the default of chroot, which compatibility_level 1 turned to no. */
static bool is_chrooted(const struct postconf *postconf, const char *word)
{
    if (strcmp(word, "-") == 0)
        return strtol(postconf_get(postconf, "compatibility_level"), NULL, 10) < 1;
    return strcmp(word, "y") == 0;
}

/* name type private unpriv chroot wakeup maxproc command ... */
static bool cut_service(struct postconf *postconf, char *line)
{
    enum { NAME, TYPE, CHROOT = 4, COMMAND = 7, WORDS };
    char *words[WORDS];
    char *save = NULL;
    for (int i = 0; i < WORDS; i++) {
        words[i] = strtok_r(i == 0 ? line : NULL, " \t", &save);
        if (words[i] == NULL)
            return true;
    }
    if (!array_reserve(&postconf->services, postconf->service_count,
                       sizeof *postconf->services))
        return false;
    struct postconf_service *service = &postconf->services[postconf->service_count++];
    *service = (struct postconf_service){
        .name = strdup(words[NAME]),
        .type = strdup(words[TYPE]),
        .command = strdup(words[COMMAND]),
        .chrooted = is_chrooted(postconf, words[CHROOT]),
    };
    return service->name != NULL && service->type != NULL && service->command != NULL;
}

static void take_service(void *context, const char *line)
{
    struct postconf_reader *reader = context;
    char *copy = strdup(line);
    reader->failed =
        reader->failed || copy == NULL || !cut_service(reader->postconf, copy);
    free(copy);
}

enum status postconf_load(const char *directory, struct postconf **out,
                          struct error *error)
{
    struct postconf *postconf = calloc(1, sizeof *postconf);
    struct postconf_reader reader = {.postconf = postconf};
    if (postconf == NULL || asprintf(&postconf->main, "%s/main.cf", directory) < 0 ||
        asprintf(&postconf->master, "%s/master.cf", directory) < 0) {
        free(postconf == NULL ? NULL : postconf->main);
        free(postconf);
        return error_set(error, STATUS_NOMEM, "out of memory");
    }
    enum status status = run(directory, NULL, take_parameter, &reader, error);
    if (status == STATUS_OK)
        status = run(directory, "-P", take_parameter, &reader, error);
    if (status == STATUS_OK)
        status = run(directory, "-M", take_service, &reader, error);
    if (status == STATUS_OK)
        *out = postconf;
    else
        postconf_free(postconf);
    return status;
}

void postconf_free(struct postconf *postconf)
{
    if (postconf == NULL)
        return;
    for (size_t i = 0; i < postconf->service_count; i++) {
        free(postconf->services[i].name);
        free(postconf->services[i].type);
        free(postconf->services[i].command);
    }
    free(postconf->services);
    for (size_t i = 0; i < postconf->parameter_count; i++) {
        free(postconf->parameters[i].name);
        free(postconf->parameters[i].value);
    }
    free(postconf->parameters);
    free(postconf->main);
    free(postconf->master);
    free(postconf);
}

/* ---- asking ---- */

static const char *find(const struct postconf *postconf, const char *name)
{
    for (size_t i = 0; i < postconf->parameter_count; i++) {
        if (strcmp(postconf->parameters[i].name, name) == 0)
            return postconf->parameters[i].value;
    }
    return NULL;
}

const char *postconf_get(const struct postconf *postconf, const char *name)
{
    const char *value = find(postconf, name);
    return value == NULL ? "" : value;
}

static const char *find_own(const struct postconf *postconf,
                            const struct postconf_service *service, const char *name)
{
    struct text whole = {0};
    if (service == NULL)
        return NULL;
    text_printf(&whole, "%s/%s/%s", service->name, service->type, name);
    const char *value = find(postconf, text_string(&whole));
    text_clear(&whole);
    return value;
}

const char *postconf_seen_by(const struct postconf *postconf,
                             const struct postconf_service *service, const char *name)
{
    const char *own = find_own(postconf, service, name);
    return own == NULL ? postconf_get(postconf, name) : own;
}

bool postconf_is_own(const struct postconf *postconf,
                     const struct postconf_service *service, const char *name)
{
    return find_own(postconf, service, name) != NULL;
}

static bool sets(const char *line, const char *name)
{
    const char *rest = text_after(line, name);
    return rest != NULL && rest[strspn(rest, " \t")] == '=';
}

int postconf_line(const struct postconf *postconf, const char *name)
{
    char *line = NULL;
    size_t size = 0;
    int number = 0;
    int found = 0;
    FILE *file = fopen(postconf->main, "re");
    while (file != NULL && getline(&line, &size, file) >= 0) {
        number++;
        if (sets(line, name))
            found = number;
    }
    free(line);
    if (file != NULL)
        (void)fclose(file);
    return found;
}
