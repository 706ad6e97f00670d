/* /v1/lists: every list, its size, and how fresh that is; never its members. A jump of
 * its size is accepted here. */
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/api.h"
#include "engine/json_output.h"
#include "lists/ldap_flatten.h"

enum { LISTS_SHOWN_MAX = 10000, RESULT_SIZE = 600 };

static json_t *list_json(const struct list *list, int64_t now_ms)
{
    static const char *const states[] = {[LIST_OK] = "ok",
                                         [LIST_STALE] = "stale",
                                         [LIST_SHRUNK] = "shrunk",
                                         [LIST_GROWN] = "grown",
                                         [LIST_UNKNOWN] = "unknown"};
    json_t *age = list->read_at_ms == 0
                      ? json_null()
                      : json_integer((now_ms - list->read_at_ms) / 1000);
    return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:s}", "address",
                     json_output_string(list->address), "size", (json_int_t)list->size,
                     "was", (json_int_t)list->was, "external", (json_int_t)list->external,
                     "source", json_output_string(list->source), "age_s", age, "state",
                     states[list->state]);
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

/* DIRECTORY_NONE after making the answer. */
static uint32_t find_list(struct request *request, const char *text)
{
    struct address address;
    struct target target = {.list = DIRECTORY_NONE};
    const char *domain = domains_first(&request->settings->policy.domains);
    if (address_parse(text, strlen(text), &address) == STATUS_OK &&
        (domain == NULL || address_qualify(&address, domain) == STATUS_OK))
        directory_find(request->snapshot->directory, &address, &target);
    if (target.list == DIRECTORY_NONE)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no list %.200s", text);
    return target.list;
}

static void show_one(struct request *request, const char *text)
{
    const struct directory *directory = request->snapshot->directory;
    uint32_t at = find_list(request, text);
    if (at == DIRECTORY_NONE) {
        audit(request, text);
        return;
    }
    const struct list *found = directory_list(directory, at);
    json_t *list = list_json(found, clock_wall_ms());
    if (json_object_set_new(list, "nested", nested_json(directory, at)) != 0) {
        json_decref(list);
        list = NULL;
    }
    request_answer(request, json_pack("{s:[o], s:i}", "lists", list, "count", 1));
    audit(request, found->address);
}

/* A nested group of LDAP that has no address is shown only when there is something to be
 * done about it. */
static bool is_shown(const struct list *list)
{
    return list->state != LIST_OK || !ldap_flatten_made_up(list->address);
}

void api_lists_show(struct request *request)
{
    const struct directory *directory = request->snapshot->directory;
    const char *address = request_query(request, "address");
    json_int_t count = 0;
    int64_t now_ms = clock_wall_ms();
    if (address != NULL) {
        show_one(request, address);
        return;
    }
    json_t *lists = json_array();
    for (uint32_t i = 0; i < directory_list_count(directory); i++) {
        const struct list *list = directory_list(directory, i);
        if (is_shown(list) && count++ < LISTS_SHOWN_MAX)
            (void)json_array_append_new(lists, list_json(list, now_ms));
    }
    request_answer(request, json_pack("{s:o, s:I}", "lists", lists, "count", count));
}

/* ---- accepting ---- */

static json_t *accepted_json(const struct list_jumps *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count && i < LISTS_SHOWN_MAX; i++) {
        const struct list_jump *jump = &list->items[i];
        (void)json_array_append_new(array, json_pack("{s:o, s:I, s:I, s:s}", "address",
                                                     json_output_string(jump->address),
                                                     "was", (json_int_t)jump->was, "size",
                                                     (json_int_t)jump->size, "state",
                                                     jump->grown ? "grown" : "shrunk"));
    }
    return array;
}

/* Why mail to a list may be held all the same; "" when it holds none that has grown. */
static void name_grown_within(const struct directory *directory, uint32_t list,
                              struct text *out)
{
    size_t count;
    const uint32_t *nested = directory_nested(directory, list, &count);
    for (size_t i = 0; i < count; i++) {
        const struct list *inner = directory_list(directory, nested[i]);
        if (inner->state != LIST_GROWN)
            continue;
        text_printf(out, "; but it contains %.200s, which has grown", inner->address);
        return;
    }
}

static void refuse(struct request *request, const char *address, uint32_t at)
{
    struct text within = {0};
    name_grown_within(request->snapshot->directory, at, &within);
    request_fail(request, MHD_HTTP_CONFLICT, "%.200s has neither grown nor shrunk%s",
                 address, text_string(&within));
    text_clear(&within);
}

/* What the audit says was accepted. */
static void say_accepted(const struct list_jumps *list, char *out, size_t size)
{
    struct text text = {0};
    text_printf(&text, "ok, %zu accepted", list->count);
    for (size_t i = 0; i < list->count && text.length < size; i++)
        text_printf(&text, "%s %s from %" PRIu64 " to %" PRIu64, i == 0 ? ":" : ",",
                    list->items[i].address, list->items[i].was, list->items[i].size);
    (void)snprintf(out, size, "%s", text_string(&text));
    text_clear(&text);
}

/* address NULL: all; at: its list. */
static void accept_jumps(struct request *request, const char *address, uint32_t at)
{
    char result[RESULT_SIZE];
    struct list_jumps list = {0};
    const struct control_context *context = request->context;
    (void)pthread_mutex_lock(request->reloading);
    enum status status = context->accept_lists(context->reload_context, address, &list);
    (void)pthread_mutex_unlock(request->reloading);
    if (status == STATUS_NOT_FOUND)
        refuse(request, address, at);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "lists");
    else
        request_answer(request, json_pack("{s:o}", "accepted", accepted_json(&list)));
    if (status == STATUS_OK)
        say_accepted(&list, result, sizeof result);
    request_end(request, status == STATUS_OK ? result : request_result(request));
    list_jumps_clear(&list);
}

static void accept_one(struct request *request, const char *text)
{
    struct text key = {0};
    uint32_t at = find_list(request, text);
    const char *address = at == DIRECTORY_NONE
                              ? text
                              : directory_list(request->snapshot->directory, at)->address;
    text_printf(&key, "list:%s", address);
    if (at == DIRECTORY_NONE)
        request_audit_key(request, "lists accept", text_string(&key),
                          request_result(request));
    else if (request_begin_key(request, "lists accept", text_string(&key)))
        accept_jumps(request, address, at);
    text_clear(&key);
}

void api_lists_accept(struct request *request)
{
    const char *address = request_string(request, "address");
    bool all = json_is_true(json_object_get(request->body, "all"));
    if ((address == NULL) == !all) {
        request_fail(request, MHD_HTTP_BAD_REQUEST, "which \"address\", or \"all\"?");
        request_audit(request, "lists accept", "", request_result(request));
    } else if (address != NULL) {
        accept_one(request, address);
    } else if (request_begin_key(request, "lists accept", "all")) {
        accept_jumps(request, NULL, DIRECTORY_NONE);
    }
}
