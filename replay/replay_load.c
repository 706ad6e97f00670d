/* Where a scenario's list is larger than the configuration's, made-up members are added
 * to the directory. The configuration is read twice, since a list's size is known only
 * once its directory is complete. */
#include <string.h>

#include "replay/replay.h"
#include "replay/scenario_lists.h"

struct made_up_lists {
    const struct scenario *scenario;
    const struct directory *known; /* of the configuration alone */
    struct problems *problems;
    struct directory *directory; /* being built */
    struct text member;
};

/* How many persons a list of the configuration has; 0 when there is none. */
static int64_t size_of(const struct directory *directory, const struct address *address)
{
    struct target target;
    directory_find(directory, address, &target);
    if (target.list == DIRECTORY_NONE)
        return 0;
    return (int64_t)directory_list(directory, target.list)->size;
}

static enum status add_list(void *context, const struct scenario_lists_item *item,
                            struct error *error)
{
    struct made_up_lists *lists = context;
    const struct scenario *scenario = lists->scenario;
    const char *address = item->address.text;
    int64_t size = size_of(lists->known, &item->address);
    int64_t missing = item->list->size - size;
    uint32_t list;
    if (missing <= 0)
        return STATUS_OK;
    if (size > 0)
        problems_warning(lists->problems, scenario->file, item->list->line,
                         "%s has %lld members, %lld more are made up", address,
                         (long long)size, (long long)missing);
    enum status status = directory_add_list(lists->directory, address, scenario->file,
                                            LIST_OK, scenario->start_ms, &list);
    if (status == STATUS_OK)
        status = directory_bind(lists->directory, address, list);
    for (int64_t n = 1; n <= missing && status == STATUS_OK; n++) {
        status = scenario_lists_member(item, n, &lists->member, error);
        if (status == STATUS_OK)
            status = directory_add_member(lists->directory, list, lists->member.data,
                                          lists->member.length, NULL, error);
    }
    return status;
}

static enum status add_lists(void *context, struct directory *directory)
{
    struct made_up_lists *lists = context;
    lists->directory = directory;
    return scenario_lists_each(lists->scenario, add_list, lists, lists->problems);
}

enum status replay_load(const char *path, const struct scenario *scenario,
                        struct problems *problems, struct snapshot **out)
{
    struct snapshot *known = NULL;
    struct problems ignored = {0}; /* the second reading reports them */
    enum status status = snapshot_load(path, NULL, false, &ignored, &known);
    struct made_up_lists lists = {.scenario = scenario, .problems = problems};
    const struct snapshot_more more = {.add = add_lists, .context = &lists};
    problems_clear(&ignored);
    if (status == STATUS_OK)
        lists.known = known->directory;
    status = snapshot_load_more(path, known == NULL ? NULL : &more, problems, out);
    snapshot_unref(known);
    text_clear(&lists.member);
    return status;
}
