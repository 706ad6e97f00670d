/* /v1/permits: announced mailings, set and ended by hand. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "control/api.h"
#include "control/by_hand.h"
#include "engine/json_output.h"
#include "quarantine/permits.h"
#include "quarantine/record.h"

enum { SET_MS = 2000 }; /* for the store, before it is set on this relay alone */

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

static bool fail(struct request *request, const char *text)
{
    request_fail(request, MHD_HTTP_BAD_REQUEST, "%s", text);
    return false;
}

/* ---- showing ---- */

/* Of one permit, or of all; NULL after making the answer. */
static json_t *read_permits(struct request *request, const char *id, bool ended)
{
    json_t *permits = NULL;
    const struct permits_query query = {.active = request->context->active_brakes,
                                        .store = request->context->store,
                                        .id = id,
                                        .ended = ended,
                                        .now_ms = clock_wall_ms(),
                                        .deadline_us = ended ? request_list_deadline_us()
                                                             : request_deadline_us()};
    enum status status = permits_list(&query, &permits);
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "permits");
    return permits;
}

void api_permits_list(struct request *request)
{
    const char *all = request_query(request, "all");
    json_t *permits = read_permits(request, NULL, all != NULL && strcmp(all, "0") != 0);
    if (permits != NULL)
        request_answer(request, json_pack("{s:o}", "permits", permits));
}

/* Answers with one permit, ended or not. */
static void show(struct request *request, const char *id)
{
    json_t *permits = read_permits(request, id, true);
    if (permits != NULL && json_array_size(permits) == 0)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no permit %.40s", id);
    else if (permits != NULL)
        request_answer(request, json_incref(json_array_get(permits, 0)));
    json_decref(permits);
}

void api_permits_show(struct request *request)
{
    show(request, request->id);
}

/* ---- setting ---- */

static bool take_key(struct request *request, struct permit *permit)
{
    struct error error = {0};
    const struct policy *policy = &request->settings->policy;
    const char *typed = request_string(request, "key");
    if (typed == NULL)
        return fail(request, "which \"key\"?");
    enum status status =
        brake_key_parse(typed, &policy->domains, &policy->logins, &permit->key, &error);
    if (status != STATUS_OK) {
        request_fail_status(request, status, &error, "key");
        return false;
    }
    return permit->key.kind != BRAKE_ALL || fail(request, "a permit can't be for all");
}

static bool take_one_to(struct request *request, const char *text, struct permit *permit)
{
    struct error error = {0};
    enum status status = text == NULL
                             ? error_set(&error, STATUS_INVALID, "\"to\" has addresses")
                             : permit_parse_to(text, &request->settings->policy.domains,
                                               &permit->to[permit->to_count], &error);
    if (status != STATUS_OK) {
        request_fail_status(request, status, &error, "to");
        return false;
    }
    permit->to_count++;
    return true;
}

static bool take_to(struct request *request, struct permit *permit)
{
    size_t i;
    const json_t *item;
    const json_t *to = json_object_get(request->body, "to");
    if ((to != NULL && !json_is_array(to)) || json_array_size(to) > PERMIT_TO_MAX) {
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "\"to\" is an array of at most %d addresses", PERMIT_TO_MAX);
        return false;
    }
    permit->to = calloc(json_array_size(to) + 1, sizeof *permit->to);
    if (permit->to == NULL) {
        request_answer(request, NULL);
        return false;
    }
    json_array_foreach(to, i, item)
    {
        if (!take_one_to(request, json_string_value(item), permit))
            return false;
    }
    return true;
}

static bool take_time(struct request *request, struct permit *permit)
{
    int64_t now_ms = clock_wall_ms();
    int64_t for_ms = 0;
    const json_t *from = json_object_get(request->body, "from");
    const json_t *copies = json_object_get(request->body, "copies");
    permit->from_ms = now_ms;
    if (!json_is_integer(copies) || json_integer_value(copies) < 1 ||
        json_integer_value(copies) > RATE_TOKENS_MAX)
        return fail(request, "\"copies\" is a number from 1 to 1000000000");
    if (from != NULL && !instant_parse(json_string_value(from), &permit->from_ms))
        return fail(request, "\"from\" is a time, as in 2026-12-01T08:00:00Z");
    if (permit->from_ms > now_ms + YEAR_MS || permit->from_ms < now_ms - YEAR_MS)
        return fail(request, "\"from\" is more than a year away");
    if (!request_duration(request, "for", &for_ms))
        return false;
    if (for_ms <= 0)
        return fail(request, "for how long? \"for\" is missing");
    permit->until_ms = permit->from_ms + for_ms;
    if (permit->until_ms <= now_ms)
        return fail(request, "it would be over already");
    permit->rate =
        permit_rate(json_integer_value(copies), permit->from_ms, permit->until_ms);
    return true;
}

static bool make_permit(struct request *request, struct permit *permit)
{
    char id[DIGEST_ID_SIZE];
    digest_random_id(id);
    permit->id = strdup(id);
    if (permit->id == NULL) {
        request_answer(request, NULL);
        return false;
    }
    return take_key(request, permit) && take_to(request, permit) &&
           take_time(request, permit) && by_hand_reason(request, &permit->reason) &&
           by_hand_author(request, &permit->by);
}

static void set(struct request *request, const struct permit *permit)
{
    enum status status = active_brakes_permit(request->context->active_brakes, permit,
                                              clock_deadline_us(SET_MS));
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, permit->key.text);
    else
        show(request, permit->id);
}

/* The audit's result: "ok, permit 0123456789abcdef, 1400 copies, from … until …". */
static void format_result(const struct request *request, const struct permit *permit,
                          char *out, size_t size)
{
    char from[INSTANT_SIZE];
    char until[INSTANT_SIZE];
    instant_format(permit->from_ms, from);
    instant_format(permit->until_ms, until);
    if (strcmp(request_result(request), "ok") != 0)
        (void)snprintf(out, size, "%s", request_result(request));
    else
        (void)snprintf(out, size, "ok, permit %s, %lld copies, %s to %s", permit->id,
                       (long long)permit->rate.burst, from, until);
}

void api_permits_set(struct request *request)
{
    struct permit permit = {0};
    char result[600];
    const char *typed = request_string(request, "key");
    if (!make_permit(request, &permit)) {
        request_audit_key(request, "permit set", typed == NULL ? "" : typed,
                          request_result(request));
    } else if (request_begin_key(request, "permit set", permit.key.text)) {
        set(request, &permit);
        format_result(request, &permit, result, sizeof result);
        request_end(request, result);
    }
    permit_clear(&permit);
}

/* ---- ending ---- */

static void end(struct request *request, const char *by)
{
    enum status status = active_brakes_end_permit(
        request->context->active_brakes, &request->settings->policy.domains, request->id,
        by, clock_wall_ms(), request_deadline_us());
    if (status == STATUS_NOT_FOUND)
        request_fail(request, MHD_HTTP_NOT_FOUND,
                     "no permit %.40s is in force, or to come", request->id);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "permit");
    else
        request_answer(request, json_pack("{s:o, s:b}", "id",
                                          json_output_string(request->id), "ended", 1));
}

void api_permits_end(struct request *request)
{
    char *by = NULL;
    if (by_hand_author(request, &by) &&
        request_begin(request, "permit end", request->id, NULL)) {
        end(request, by);
        request_end(request, request_result(request));
    }
    free(by);
}
