/* How long the reach of lists takes: bench-reach CONFIG LIST... prints, in nanoseconds,
 * the reach of the first list, and that of all lists together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "lists/snapshot.h"
#include "policy/reach.h"

static uint64_t reach_of(const struct directory *directory, const struct target *targets,
                         int count)
{
    struct reach *reach = reach_new(directory);
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        if (reach == NULL || reach_add(reach, &targets[i]) != STATUS_OK)
            exit(1);
    }
    total = reach_total(reach) + reach_external(reach);
    reach_free(reach);
    return total;
}

static long long time_ns(const struct directory *directory, const struct target *targets,
                         int count, int turns)
{
    uint64_t sum = 0;
    int64_t before_us = clock_monotonic_us();
    for (int i = 0; i < turns; i++)
        sum += reach_of(directory, targets, count);
    return sum == 0 ? -1 : (clock_monotonic_us() - before_us) * 1000 / turns;
}

int main(int argc, char **argv)
{
    struct problems problems = {0};
    struct snapshot *snapshot;
    struct target targets[64];
    int count = argc - 2;
    if (count < 1 || count > 64 || digest_init() != STATUS_OK ||
        snapshot_load(argv[1], NULL, false, &problems, &snapshot) != STATUS_OK)
        return 1;
    for (int i = 0; i < count; i++) {
        struct address address;
        if (address_parse(argv[i + 2], strlen(argv[i + 2]), &address) != STATUS_OK)
            return 1;
        directory_find(snapshot->directory, &address, &targets[i]);
        if (targets[i].kind != TARGET_LIST)
            return 1;
    }
    printf("{\"one_ns\": %lld, \"all_ns\": %lld, \"persons\": %llu}\n",
           time_ns(snapshot->directory, targets, 1, 1000000),
           time_ns(snapshot->directory, targets, count, 1000),
           (unsigned long long)reach_of(snapshot->directory, targets, count));
    snapshot_unref(snapshot);
    problems_clear(&problems);
    return 0;
}
