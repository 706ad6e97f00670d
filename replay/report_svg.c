/* Bars over time, one colour for what went out and one for what did not, and a line where
 * the brake closed. Lengths are tenths of a pixel, so that no floating point is needed.
 * The two colours (Okabe and Ito's blue and orange) differ for every eye, and as light
 * and dark in grey print. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "replay/report_views.h"
#include "replay/timeline.h"

#define ACCEPTED_COLOUR "#0072b2"
#define STOPPED_COLOUR "#f0a830"
#define LINE_COLOUR "#b00020"

/* In tenths of a pixel. */
enum {
    PLOT_LEFT = 1000,
    PLOT_RIGHT = 11600,
    PLOT_TOP = 2150,
    PLOT_BOTTOM = 5900,
    THINNEST = 15, /* what is there is seen */
    TENTH = 10,
};

enum { TIMELINE_SHOWN = 170, TIMELINE_LEAST = 31, TITLE_MAX = 84, NOTE_MAX = 60 };

struct chart {
    const struct report *report;
    struct timeline timeline;
    int64_t first, count; /* intervals shown: first, and how many */
    int64_t top;          /* copies at the upper edge */
    int64_t tick;         /* copies between two lines */
    struct text *out;
};

/* ---- pieces ---- */

/* Text between tags: escaped, at most max characters of it. */
static void add_text(struct text *out, const char *string, size_t max)
{
    struct text clean = {0};
    utf8_add(&clean, string, strlen(string));
    size_t shown = 0;
    for (const char *c = text_string(&clean); *c != '\0'; c++) {
        bool starts = ((unsigned char)*c & 0xC0) != 0x80;
        if (starts && shown++ == max) {
            text_add_string(out, "...");
            break;
        }
        if (*c == '&')
            text_add_string(out, "&amp;");
        else if (*c == '<')
            text_add_string(out, "&lt;");
        else if (*c == '>')
            text_add_string(out, "&gt;");
        else if ((unsigned char)*c < ' ' || *c == 0x7F)
            text_add(out, "?", 1);
        else
            text_add(out, c, 1);
    }
    out->failed = out->failed || clean.failed;
    text_clear(&clean);
}

/* A length as SVG writes it: "12.5". */
static void add_length(struct text *out, const char *name, int64_t tenths)
{
    text_printf(out, " %s=\"%lld.%lld\"", name, (long long)(tenths / TENTH),
                (long long)(tenths % TENTH));
}

static void add_line(struct text *out, const char *class, const int64_t from[2],
                     const int64_t to[2])
{
    text_printf(out, "<line class=\"%s\"", class);
    add_length(out, "x1", from[0]);
    add_length(out, "y1", from[1]);
    add_length(out, "x2", to[0]);
    add_length(out, "y2", to[1]);
    text_add_string(out, "/>\n");
}

static void open_text(struct text *out, const char *class, int64_t x, int64_t y)
{
    text_printf(out, "<text class=\"%s\"", class);
    add_length(out, "x", x);
    add_length(out, "y", y);
    text_add_string(out, ">");
}

static void close_text(struct text *out)
{
    text_add_string(out, "</text>\n");
}

static void add_rect(struct text *out, const char *class, const int64_t at[2],
                     const int64_t size[2])
{
    text_printf(out, "<rect class=\"%s\"", class);
    add_length(out, "x", at[0]);
    add_length(out, "y", at[1]);
    add_length(out, "width", size[0]);
    add_length(out, "height", size[1]);
    text_add_string(out, "/>\n");
}

/* ---- scales ---- */

static int64_t stopped_copies(const struct interval *interval)
{
    return interval->by[ACTION_QUARANTINE].copies + interval->by[ACTION_DEFER].copies +
           interval->by[ACTION_REJECT].copies;
}

/* Lines at 1, 2 or 5 times a power of ten, at most five of them. */
static void scale_up(struct chart *chart)
{
    int64_t most = 1;
    int64_t power = 1;
    static const int64_t factors[] = {1, 2, 5};
    for (size_t i = 0; i < chart->timeline.count; i++) {
        const struct interval *interval = &chart->timeline.intervals[i];
        int64_t copies = interval->by[ACTION_ACCEPT].copies + stopped_copies(interval);
        most = copies > most ? copies : most;
    }
    for (size_t i = 0; chart->tick == 0; i++) {
        int64_t tick = factors[i % 3] * power;
        if (most <= 5 * tick)
            chart->tick = tick;
        power *= i % 3 == 2 ? 10 : 1;
    }
    chart->top = (most + chart->tick - 1) / chart->tick * chart->tick;
}

/* A little air on both sides; a single message is not a wall. */
static void scale_across(struct chart *chart)
{
    const struct timeline *timeline = &chart->timeline;
    if (timeline->count > 0) {
        chart->first = timeline->intervals[0].number - 1;
        chart->count = timeline->intervals[timeline->count - 1].number - chart->first + 2;
    }
    if (chart->count < TIMELINE_LEAST) {
        chart->first -= (TIMELINE_LEAST - chart->count) / 2;
        chart->count = TIMELINE_LEAST;
    }
}

/* Where a local time stands. */
static int64_t x_of(const struct chart *chart, int64_t local_ms)
{
    int64_t step_ms = chart->timeline.step_minutes * REPORT_MINUTE_MS;
    int64_t from_ms = timeline_start_ms(&chart->timeline, chart->first);
    /* in units small enough for ten years times the width */
    return PLOT_LEFT + (local_ms - from_ms) / 1000 * (PLOT_RIGHT - PLOT_LEFT) /
                           (chart->count * step_ms / 1000);
}

static int64_t height_of(const struct chart *chart, int64_t copies)
{
    int64_t room = PLOT_BOTTOM - PLOT_TOP;
    int64_t height = copies > INT64_MAX / room ? copies / chart->top * room
                                               : copies * room / chart->top;
    return copies > 0 && height < THINNEST ? THINNEST : height;
}

/* ---- axes ---- */

static void draw_lines(const struct chart *chart)
{
    for (int64_t copies = 0; copies <= chart->top; copies += chart->tick) {
        char number[REPORT_NUMBER];
        int64_t y = copies == 0 ? PLOT_BOTTOM : PLOT_BOTTOM - height_of(chart, copies);
        const int64_t from[2] = {PLOT_LEFT, y};
        const int64_t to[2] = {PLOT_RIGHT, y};
        add_line(chart->out, copies == 0 ? "axis" : "grid", from, to);
        open_text(chart->out, "number", PLOT_LEFT - 100, y + 45);
        add_text(chart->out, report_number(copies, number), REPORT_NUMBER);
        close_text(chart->out);
    }
    open_text(chart->out, "small", PLOT_LEFT - 800, PLOT_TOP - 380);
    text_printf(chart->out, "copies per %s",
                timeline_step_name(chart->timeline.step_minutes));
    close_text(chart->out);
}

/* Minutes between two labels of the time axis: at most nine of them. */
static int64_t choose_tick(int64_t minutes)
{
    static const int64_t ticks[] = {1,     2,     5,     10,     15,     30,     60,
                                    120,   180,   360,   720,    1440,   2880,   10080,
                                    20160, 40320, 80640, 120960, 241920, 483840, 967680};
    size_t i = 0;
    while (i + 1 < sizeof ticks / sizeof *ticks && minutes / ticks[i] > 9)
        i++;
    return ticks[i];
}

static const char *tick_format(int64_t tick, int64_t minutes)
{
    if (tick >= 1440)
        return minutes > 300 * INT64_C(1440) ? "%d %b %Y" : "%a %d %b";
    return minutes > 1440 ? "%a %H:%M" : "%H:%M";
}

static void draw_clock(const struct chart *chart)
{
    int64_t minutes = chart->count * chart->timeline.step_minutes;
    int64_t from = timeline_start_ms(&chart->timeline, chart->first) / REPORT_MINUTE_MS;
    int64_t tick = choose_tick(minutes);
    int64_t offset = tick % 10080 == 0 ? 4 * 1440 : 0; /* on Mondays */
    char label[TIMELINE_LABEL];
    for (int64_t at = (from - offset + tick - 1) / tick * tick + offset;
         at <= from + minutes; at += tick) {
        int64_t x = x_of(chart, at * REPORT_MINUTE_MS);
        const int64_t upper[2] = {x, PLOT_BOTTOM};
        const int64_t lower[2] = {x, PLOT_BOTTOM + 60};
        add_line(chart->out, "axis", upper, lower);
        timeline_format(at * REPORT_MINUTE_MS, tick_format(tick, minutes), label);
        open_text(chart->out, "clock", x, PLOT_BOTTOM + 220);
        add_text(chart->out, label, TIMELINE_LABEL);
        close_text(chart->out);
    }
    timeline_format(from * REPORT_MINUTE_MS, "%a %d %B %Y", label);
    open_text(chart->out, "clock", (PLOT_LEFT + PLOT_RIGHT) / 2, PLOT_BOTTOM + 460);
    text_add_string(chart->out, "local time");
    if (minutes <= 1440) {
        text_add_string(chart->out, ", ");
        add_text(chart->out, label, TIMELINE_LABEL);
    }
    close_text(chart->out);
}

/* ---- what happened ---- */

static void draw_bars(const struct chart *chart)
{
    int64_t step_ms = chart->timeline.step_minutes * REPORT_MINUTE_MS;
    for (size_t i = 0; i < chart->timeline.count; i++) {
        const struct interval *interval = &chart->timeline.intervals[i];
        int64_t start_ms = timeline_start_ms(&chart->timeline, interval->number);
        int64_t x = x_of(chart, start_ms);
        int64_t width = x_of(chart, start_ms + step_ms) - x;
        int64_t gap = width > 60 ? 10 : 0;
        int64_t accepted = height_of(chart, interval->by[ACTION_ACCEPT].copies);
        int64_t stopped = height_of(chart, stopped_copies(interval));
        const int64_t accepted_at[2] = {x, PLOT_BOTTOM - accepted};
        const int64_t accepted_size[2] = {width - gap, accepted};
        const int64_t stopped_at[2] = {x, PLOT_BOTTOM - accepted - stopped};
        const int64_t stopped_size[2] = {width - gap, stopped};
        if (accepted > 0)
            add_rect(chart->out, "accepted", accepted_at, accepted_size);
        if (stopped > 0)
            add_rect(chart->out, "stopped", stopped_at, stopped_size);
    }
}

static void draw_closed(const struct chart *chart)
{
    const struct report *report = chart->report;
    char label[TIMELINE_LABEL];
    if (report->closed.at_ms == 0)
        return;
    int64_t local_ms = timeline_local_ms(report->closed.at_ms);
    int64_t x = x_of(chart, local_ms);
    bool right = x > (PLOT_LEFT + PLOT_RIGHT) / 2;
    const int64_t upper[2] = {x, PLOT_TOP - 130};
    const int64_t lower[2] = {x, PLOT_BOTTOM};
    add_line(chart->out, "closed", upper, lower);
    timeline_format(local_ms,
                    chart->count * chart->timeline.step_minutes > 1440
                        ? "%d %b %Y %H:%M:%S"
                        : "%H:%M:%S",
                    label);
    open_text(chart->out, right ? "mark left" : "mark", x + (right ? -80 : 80),
              PLOT_TOP - 50);
    text_add_string(chart->out, "The brake closes: ");
    add_text(chart->out, label, TIMELINE_LABEL);
    text_add_string(chart->out, ", rule ");
    add_text(chart->out, report->deciders[report->closed.decider].name, NOTE_MAX);
    close_text(chart->out);
}

/* ---- words ---- */

static void add_sum(struct text *out, const struct report_sum *sum, const char *fate)
{
    char messages[REPORT_NUMBER];
    char copies[REPORT_NUMBER];
    if (sum->messages == 0) {
        text_printf(out, "Nothing %s", fate);
        return;
    }
    text_printf(out, "%s message%s %s: %s %s", report_number(sum->messages, messages),
                sum->messages == 1 ? "" : "s", fate, report_number(sum->copies, copies),
                sum->copies == 1 ? "copy" : "copies");
}

/* "(118 refused, 3 held)" */
static void add_fates(struct text *out, const struct report *report)
{
    static const enum action order[] = {ACTION_REJECT, ACTION_QUARANTINE, ACTION_DEFER};
    const char *joint = " (";
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        char number[REPORT_NUMBER];
        struct report_sum sum = report_total(report, order[i]);
        if (sum.messages == 0)
            continue;
        text_printf(out, "%s%s %s", joint, report_number(sum.messages, number),
                    report_action_name(order[i]));
        joint = ", ";
    }
    text_add_string(out, joint[0] == ',' ? ")" : "");
}

static const char *title_of(const struct scenario *scenario)
{
    return scenario->title[0] != '\0' ? scenario->title : scenario->file;
}

static void draw_words(const struct chart *chart)
{
    const struct report *report = chart->report;
    struct text *out = chart->out;
    struct report_sum accepted = report_total(report, ACTION_ACCEPT);
    struct report_sum stopped = {0};
    const int64_t size[2] = {160, 160};
    const int64_t upper[2] = {200, 790};
    const int64_t lower[2] = {200, 1110};
    for (size_t i = 0; i < REPORT_ACTIONS; i++) {
        struct report_sum sum = report_total(report, (enum action)i);
        stopped.messages += i == ACTION_ACCEPT ? 0 : sum.messages;
        stopped.copies += i == ACTION_ACCEPT ? 0 : sum.copies;
    }
    open_text(out, "title", 200, 480);
    add_text(out, title_of(report->scenario), TITLE_MAX);
    close_text(out);
    add_rect(out, "accepted", upper, size);
    open_text(out, "words", 460, 930);
    add_sum(out, &accepted, report->policy->monitor ? "would pass" : "went out");
    close_text(out);
    add_rect(out, "stopped", lower, size);
    open_text(out, "words", 460, 1250);
    add_sum(out, &stopped,
            report->policy->monitor ? "would be stopped"
            : stopped.messages <= 1 ? "was stopped"
                                    : "were stopped");
    add_fates(out, report);
    close_text(out);
    open_text(out, "small", 200, 6650);
    text_add_string(out,
                    "A copy is one message in one mailbox. Replayed by Mailbrake on a "
                    "simulated clock; no mail was sent.");
    close_text(out);
}

static const char head[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1200 680\" role=\"img\">\n"
    "<style>\n"
    "text { font-family: 'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif;"
    " font-size: 14px; fill: #222 }\n"
    ".title { font-size: 24px; font-weight: bold }\n"
    ".words { font-size: 18px }\n"
    ".small { font-size: 12px; fill: #555 }\n"
    ".number { text-anchor: end }\n"
    ".clock { text-anchor: middle }\n"
    ".mark { fill: " LINE_COLOUR "; font-weight: bold }\n"
    ".left { text-anchor: end }\n"
    ".grid { stroke: #ddd; stroke-width: 1 }\n"
    ".axis { stroke: #444; stroke-width: 1 }\n"
    ".closed { stroke: " LINE_COLOUR "; stroke-width: 2; stroke-dasharray: 6 4 }\n"
    ".accepted { fill: " ACCEPTED_COLOUR " }\n"
    ".stopped { fill: " STOPPED_COLOUR " }\n"
    "</style>\n";

enum status report_svg(const struct report *report, struct text *out)
{
    struct chart chart = {.report = report, .out = out};
    enum status status = timeline_by_span(report, TIMELINE_SHOWN, &chart.timeline);
    if (status != STATUS_OK)
        return status;
    scale_up(&chart);
    scale_across(&chart);
    text_add_string(out, head);
    text_add_string(out, "<title>");
    add_text(out, title_of(report->scenario), TITLE_MAX);
    text_add_string(out, "</title>\n");
    text_add_string(out, "<rect width=\"1200\" height=\"680\" fill=\"#fff\"/>\n");
    draw_words(&chart);
    draw_lines(&chart);
    draw_bars(&chart);
    draw_clock(&chart);
    draw_closed(&chart);
    text_add_string(out, "</svg>\n");
    timeline_clear(&chart.timeline);
    return out->failed ? STATUS_NOMEM : STATUS_OK;
}
