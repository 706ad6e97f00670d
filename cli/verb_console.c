/* mailbrake console: becomes mailbrake-console, with the rights of whoever typed it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "cli/arguments.h"
#include "cli/remote.h"
#include "cli/verbs.h"

enum { OPTION_PORT = 256 };

static enum status take_port(void *context, int val, const char *argument)
{
    (void)val;
    *(const char **)context = argument;
    return STATUS_OK;
}

/* From where it is installed, or else by PATH. Returns only when there is none. */
static void become(const char *socket, const char *port)
{
    static const char program[] = "mailbrake-console";
    const char *words[] = {program, "--socket", socket, "--port", port, NULL};
    char **copy = (char **)(uintptr_t)words;
    (void)execv(MAILBRAKE_CONSOLE, copy);
    if (errno == ENOENT)
        (void)execvp(program, copy);
    (void)fprintf(stderr, "mailbrake: %s: %s\n", program, strerror(errno));
}

int verb_console(int argc, char **argv)
{
    static const struct option list[] = {
        {"port", required_argument, NULL, OPTION_PORT},
        {0},
    };
    const char *port = "8025";
    struct problems problems = {0};
    struct arguments arguments;
    const struct arguments_extra extra = {
        .list = list, .take = take_port, .context = &port};
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK ||
        arguments.word_count != 0)
        return arguments_usage("usage: mailbrake console [--port 8025]\n");
    char *socket = remote_socket(&arguments, &problems);
    if (socket == NULL)
        output_problems(&problems);
    else
        become(socket, port);
    problems_clear(&problems);
    free(socket);
    return EXIT_FAILED;
}
