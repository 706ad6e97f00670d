/* One call for all buckets and latches, and one more for each window: windows are few,
 * and only people ask. */
#include "engine/limit_view.h"

#include <stdlib.h>

#include "base/duration.h"
#include "base/instant.h"
#include "engine/json_output.h"

static enum status read_windows(struct store *store, const struct charge *charges,
                                size_t count, int64_t deadline_us, struct limit_view *out)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        out[i].window = (struct window){0};
        if (charges[i].surge != NULL)
            status = store_window(store, &charges[i], deadline_us, &out[i].window);
    }
    return status;
}

enum status limit_view_read(struct store *store, const struct charge *charges,
                            size_t count, int64_t deadline_us, struct limit_view *out,
                            enum charge_source *out_source)
{
    struct charge_outcome *outcomes = calloc(count + 1, sizeof *outcomes);
    if (outcomes == NULL)
        return STATUS_NOMEM;
    enum status status = store_charge(store, charges, count, CHARGE_PEEK, deadline_us,
                                      outcomes, out_source);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        out[i].outcome = outcomes[i];
    free(outcomes);
    if (status == STATUS_OK)
        status = read_windows(store, charges, count, deadline_us, out);
    return status;
}

/* The most that passes in one period. */
static int64_t most_of(const struct charge *charge)
{
    return charge->clients ? charge->rate->burst : rate_most(charge->rate);
}

static json_t *instant_json(int64_t wall_ms)
{
    char text[INSTANT_SIZE];
    instant_format(wall_ms, text);
    return json_string(text);
}

static json_t *windows_json(const struct window *window)
{
    json_t *windows = json_array();
    for (size_t i = 0; i < window->past_count; i++)
        (void)json_array_append_new(
            windows, json_pack("{s:I, s:o}", "copies", (json_int_t)window->past[i].copies,
                               "ended_at", instant_json(window->past[i].end_ms)));
    return windows;
}

static json_t *window_json(const struct charge *charge, const struct limit_view *view)
{
    const struct window *window = &view->window;
    json_t *ends = !window_is_open(window)
                       ? json_null()
                       : instant_json(window->start_ms + charge->surge->window_ms);
    return json_pack("{s:I, s:o, s:o}", "window_copies", (json_int_t)window->copies,
                     "window_ends_at", ends, "windows", windows_json(window));
}

json_t *limit_view_json(const struct charge *charge, const struct limit_view *view,
                        int64_t now_ms)
{
    json_t *most =
        charge->rate == NULL ? json_null() : json_integer((json_int_t)most_of(charge));
    json_t *json = json_pack(
        "{s:o, s:I, s:o, s:n, s:n, s:n}", "subject", json_output_string(charge->subject),
        "cost", (json_int_t)charge->cost, "most", most, "left", "burst", "latched_until");
    json_t *known = NULL;
    if (view == NULL || json == NULL)
        return json;
    const struct charge_outcome *outcome = &view->outcome;
    known = json_pack("{s:I, s:I, s:o}", "left", (json_int_t)outcome->left, "burst",
                      (json_int_t)outcome->burst, "latched_until",
                      outcome->latch_ms == 0 ? json_null()
                                             : instant_json(now_ms + outcome->latch_ms));
    (void)json_object_update(json, known);
    json_decref(known);
    if (charge->surge != NULL) {
        known = window_json(charge, view);
        (void)json_object_update(json, known);
        json_decref(known);
    }
    return json;
}

static void say_most(const struct charge *charge, struct text *out)
{
    char period[DURATION_SIZE];
    if (charge->rate == NULL)
        return;
    duration_format(charge->rate->period_ms, period);
    text_printf(out, "; at most %lld in %s", (long long)most_of(charge), period);
}

static void say_window(const struct window *window, struct text *out)
{
    for (size_t i = 0; i < window->past_count; i++)
        text_printf(out, "%s%lld", i == 0 ? "; its last windows had " : ", ",
                    (long long)window->past[i].copies);
}

void limit_view_say(const struct charge *charge, const struct limit_view *view,
                    struct text *out)
{
    const char *of = charge->surge == NULL ? "" : " in its window";
    if (charge->clients)
        of = " clients";
    long long cost = (long long)charge->cost;
    if (view == NULL) {
        text_printf(out, "costs %lld of %lld%s for %s", cost,
                    (long long)(charge->surge == NULL ? charge->rate->burst
                                                      : charge->surge->floor),
                    of, charge->subject);
        say_most(charge, out);
        return;
    }
    text_printf(out, "costs %lld, left %lld of %lld%s for %s", cost,
                (long long)view->outcome.left, (long long)view->outcome.burst, of,
                charge->subject);
    say_most(charge, out);
    if (view->outcome.latch_ms > 0) {
        char rest[INSTANT_SIZE];
        instant_duration((view->outcome.latch_ms + 999) / 1000, rest);
        text_printf(out, "; latched for another %s", rest);
    }
    if (charge->surge != NULL)
        say_window(&view->window, out);
}
