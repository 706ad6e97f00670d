/* GET /v1/lists: every list, its size, and how fresh that is. Never its members. */
#include <microhttpd.h>
#include <string.h>

#include "base/clock.h"
#include "control/api.h"
#include "engine/json_output.h"

enum { LISTS_SHOWN_MAX = 10000 };

static json_t *list_json(const struct list *list, int64_t now_ms)
{
    static const char *const states[] = {[LIST_OK] = "ok",
                                         [LIST_STALE] = "stale",
                                         [LIST_SHRUNK] = "shrunk",
                                         [LIST_UNKNOWN] = "unknown"};
    json_t *age = list->read_at_ms == 0
                      ? json_null()
                      : json_integer((now_ms - list->read_at_ms) / 1000);
    return json_pack(
        "{s:o, s:I, s:I, s:o, s:o, s:s}", "address", json_output_string(list->address),
        "size", (json_int_t)list->size, "external", (json_int_t)list->external, "source",
        json_output_string(list->source), "age_s", age, "state", states[list->state]);
}

static json_t *nested_json(const struct directory *directory, uint32_t list)
{
    size_t count;
    json_t *array = json_array();
    const uint32_t *nested = directory_nested(directory, list, &count);
    for (size_t i = 0; i < count && i < LISTS_SHOWN_MAX; i++)
        (void)json_array_append_new(
            array, json_output_string(directory_list(directory, nested[i])->address));
    return array;
}

/* A question about one list is audited, since it is about the people on it. */
static void audit(struct request *request, const char *address)
{
    struct text key = {0};
    text_printf(&key, "list:%s", address);
    request_audit_key(request, "lists", text_string(&key), request_result(request));
    text_clear(&key);
}

static void show_one(struct request *request, const char *text)
{
    struct address address;
    struct target target = {.list = DIRECTORY_NONE};
    const struct directory *directory = request->snapshot->directory;
    const char *domain = domains_first(&request->settings->policy.domains);
    if (address_parse(text, strlen(text), &address) == STATUS_OK &&
        (domain == NULL || address_qualify(&address, domain) == STATUS_OK))
        directory_find(directory, &address, &target);
    if (target.list == DIRECTORY_NONE) {
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no list %.200s", text);
        audit(request, text);
        return;
    }
    const struct list *found = directory_list(directory, target.list);
    json_t *list = list_json(found, clock_wall_ms());
    if (json_object_set_new(list, "nested", nested_json(directory, target.list)) != 0) {
        json_decref(list);
        list = NULL;
    }
    request_answer(request, json_pack("{s:[o], s:i}", "lists", list, "count", 1));
    audit(request, found->address);
}

void api_lists_show(struct request *request)
{
    const struct directory *directory = request->snapshot->directory;
    const char *address = request_query(request, "address");
    uint32_t count = directory_list_count(directory);
    int64_t now_ms = clock_wall_ms();
    if (address != NULL) {
        show_one(request, address);
        return;
    }
    json_t *lists = json_array();
    for (uint32_t i = 0; i < count && i < LISTS_SHOWN_MAX; i++)
        (void)json_array_append_new(lists,
                                    list_json(directory_list(directory, i), now_ms));
    request_answer(request,
                   json_pack("{s:o, s:I}", "lists", lists, "count", (json_int_t)count));
}
