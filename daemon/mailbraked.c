/* mailbraked(8): the command line of the milter daemon. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"

static int usage(FILE *out, int status)
{
    (void)fputs("usage: mailbraked [-c FILE]\n"
                "       mailbraked --version | --help\n",
                out);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *configuration = "/etc/mailbrake/mailbrake.conf";
    int option;

    /* Lists come and go by the megabyte, so their memory goes back to the system. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    /* What is freed in one arena serves no other: with many, memory creeps up. */
    (void)mallopt(M_ARENA_MAX, 2);
    daemon_block_signals();
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            configuration = optarg;
            break;
        case 'V':
            (void)puts("mailbraked " MAILBRAKE_VERSION);
            return 0;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (optind < argc)
        return usage(stderr, 2);
    return daemon_run(configuration);
}
