/* Lists that a scenario wants larger than the configuration has them: people are made up
 * and put into the directory, beside those who are there. */
#include <string.h>

#include "base/text.h"
#include "replay/replay.h"

/* Goes through the lists of a scenario. */
struct list_visitor {
    const struct scenario *scenario;
    /* How many members of a list to make up. */
    enum status (*open)(void *context, const struct scenario_list *list,
                        const struct address *address, int64_t *out_count);
    enum status (*add)(void *context, const struct address *address, const char *member);
    void *context;
    struct text text;
    struct error error;
};

/* "allstudents-17@a.b" of "allstudents@a.b", unless the scenario has a pattern. */
static enum status name_member(struct list_visitor *visitor,
                               const struct scenario_list *list,
                               const struct address *address, struct formula_scope *scope)
{
    struct text *text = &visitor->text;
    text_reset(text);
    if (list->member != NULL) {
        enum status status = template_fill(list->member, scope, text, &visitor->error);
        if (status != STATUS_OK)
            return status;
    } else {
        text_printf(text, "%.*s-%lld%s", (int)address->at, address->text,
                    (long long)scope->n, address->text + address->at);
    }
    return text->failed ? STATUS_NOMEM : STATUS_OK;
}

static enum status visit_members(struct list_visitor *visitor,
                                 const struct scenario_list *list,
                                 const struct address *address, int64_t k)
{
    struct formula_scope scope = {.run = 1, .k = k, .random = visitor->scenario->seed};
    int64_t count = 0;
    enum status status = visitor->open(visitor->context, list, address, &count);
    for (scope.n = 1; scope.n <= count && status == STATUS_OK; scope.n++) {
        status = name_member(visitor, list, address, &scope);
        if (status == STATUS_OK)
            status = visitor->add(visitor->context, address, text_string(&visitor->text));
    }
    return status;
}

static enum status name_list(struct list_visitor *visitor,
                             const struct scenario_list *list,
                             struct formula_scope *scope, struct address *out)
{
    struct text *text = &visitor->text;
    text_reset(text);
    enum status status = template_fill(list->address, scope, text, &visitor->error);
    if (status != STATUS_OK || text->failed)
        return status != STATUS_OK ? status : STATUS_NOMEM;
    status = address_parse(text_string(text), text->length, out);
    if (status != STATUS_OK || out->length == 0 || out->at == out->length)
        return error_set(&visitor->error, STATUS_INVALID,
                         "'%.200s' is no address of a list", text_string(text));
    return STATUS_OK;
}

static enum status visit_list(struct list_visitor *visitor,
                              const struct scenario_list *list)
{
    struct formula_scope scope = {.n = 1, .run = 1};
    int64_t first;
    int64_t last;
    enum status status =
        template_range(list->address, &scope, &first, &last, &visitor->error);
    if (status == STATUS_OK && last - first >= SCENARIO_LISTS_MAX)
        return error_set(&visitor->error, STATUS_INVALID, "more than %d lists",
                         SCENARIO_LISTS_MAX);
    for (int64_t k = first; status == STATUS_OK && k <= last; k++) {
        struct address address;
        scope.k = k;
        status = name_list(visitor, list, &scope, &address);
        if (status == STATUS_OK)
            status = visit_members(visitor, list, &address, k);
    }
    return status;
}

/* INVALID after an error in problems. */
static enum status visit_all(struct list_visitor *visitor, struct problems *problems)
{
    const struct scenario *scenario = visitor->scenario;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < scenario->list_count && status == STATUS_OK; i++) {
        status = visit_list(visitor, &scenario->lists[i]);
        if (status == STATUS_INVALID)
            problems_error(problems, scenario->file, scenario->lists[i].line, "%s",
                           visitor->error.text);
    }
    text_clear(&visitor->text);
    return status;
}

/* ---- into a directory ---- */

struct made_up_lists {
    const struct scenario *scenario;
    const struct directory *known; /* of the configuration alone */
    struct problems *problems;
    struct list_visitor *visitor;
    struct directory *directory; /* being built */
    uint32_t list;
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

static enum status open_list(void *context, const struct scenario_list *list,
                             const struct address *address, int64_t *out_count)
{
    struct made_up_lists *lists = context;
    const struct scenario *scenario = lists->scenario;
    int64_t size = size_of(lists->known, address);
    if (size >= list->size)
        return STATUS_OK;
    if (size > 0)
        problems_warning(lists->problems, scenario->file, list->line,
                         "%s has %lld members, %lld more are made up", address->text,
                         (long long)size, (long long)(list->size - size));
    *out_count = list->size - size;
    enum status status =
        directory_add_list(lists->directory, address->text, scenario->file, LIST_OK,
                           scenario->start_ms, &lists->list);
    if (status == STATUS_OK)
        status = directory_bind(lists->directory, address->text, lists->list);
    return status;
}

static enum status add_member(void *context, const struct address *address,
                              const char *member)
{
    struct made_up_lists *lists = context;
    (void)address;
    return directory_add_member(lists->directory, lists->list, member, strlen(member),
                                NULL, &lists->visitor->error);
}

static enum status fill(void *context, struct directory *directory)
{
    struct made_up_lists *lists = context;
    struct list_visitor visitor = {.scenario = lists->scenario,
                                   .open = open_list,
                                   .add = add_member,
                                   .context = lists};
    lists->directory = directory;
    lists->visitor = &visitor;
    return visit_all(&visitor, lists->problems);
}

static void hand_on(struct problems *problems, const struct problems *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct problem *problem = &found->items[i];
        if (problem->warning)
            problems_warning(problems, problem->file, problem->line, "%s", problem->text);
        else
            problems_error(problems, problem->file, problem->line, "%s", problem->text);
    }
}

enum status replay_load(const char *path, const struct scenario *scenario,
                        struct problems *problems, struct snapshot **out)
{
    struct snapshot *known = NULL;
    struct problems ignored = {0};
    struct problems found = {0};
    enum status status = snapshot_load(path, NULL, false, &ignored, &known);
    struct made_up_lists lists = {.scenario = scenario, .problems = &found};
    struct snapshot_more more = {.add = fill, .context = &lists};
    problems_clear(&ignored);
    if (status == STATUS_OK)
        lists.known = known->directory;
    /* what is wrong with the configuration is reported when it is read the second time */
    status = snapshot_load_more(path, known == NULL ? NULL : &more, problems, out);
    hand_on(problems, &found);
    problems_clear(&found);
    snapshot_unref(known);
    return status;
}

/* ---- for others ---- */

struct member_reader {
    enum status (*each)(void *context, const char *list, const char *member);
    void *context;
};

static enum status open_whole(void *context, const struct scenario_list *list,
                              const struct address *address, int64_t *out_count)
{
    (void)context;
    (void)address;
    *out_count = list->size;
    return STATUS_OK;
}

static enum status report_member(void *context, const struct address *address,
                                 const char *member)
{
    struct member_reader *reader = context;
    return reader->each(reader->context, address->text, member);
}

enum status replay_members(const struct scenario *scenario,
                           enum status (*each)(void *context, const char *list,
                                               const char *member),
                           void *context, struct problems *problems)
{
    struct member_reader reader = {each, context};
    struct list_visitor visitor = {.scenario = scenario,
                                   .open = open_whole,
                                   .add = report_member,
                                   .context = &reader};
    return visit_all(&visitor, problems);
}
