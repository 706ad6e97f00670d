/* Bars over time, one colour for what went out and one for what did not, and a line where
 * the brake closed. The two colours (Okabe and Ito's blue and orange) differ for
 * colour-blind readers, and in grey print. Units are tenths of a pixel, so whole numbers
 * suffice. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "replay/report_views.h"
#include "replay/timeline.h"

enum {
    LEFT = 1000,
    RIGHT = 11600,
    TOP = 2150,
    BOTTOM = 5900,
    THINNEST = 15, /* so that a single copy is seen */
};

enum { INTERVALS_SHOWN = 170, INTERVALS_LEAST = 31, TITLE_MAX = 84, NOTE_MAX = 60 };

struct chart {
    const struct report *report;
    struct timeline timeline;
    int64_t first, count; /* intervals shown: first, and how many */
    int64_t top;          /* copies at the upper edge */
    int64_t tick;         /* copies between two lines */
    struct text *out;
};

static const char head[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"680\""
    " viewBox=\"0 0 12000 6800\" role=\"img\">\n"
    "<style>\n"
    "text { font-family: 'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif;"
    " font-size: 140px; fill: #222 }\n"
    ".title { font-size: 240px; font-weight: bold }\n"
    ".words { font-size: 180px }\n"
    ".small { font-size: 120px; fill: #555 }\n"
    ".number, .left { text-anchor: end }\n"
    ".clock { text-anchor: middle }\n"
    ".mark { fill: #b00020; font-weight: bold }\n"
    ".grid { stroke: #ddd; stroke-width: 10 }\n"
    ".axis { stroke: #444; stroke-width: 10 }\n"
    ".closed { stroke: #b00020; stroke-width: 20; stroke-dasharray: 60 40 }\n"
    ".accepted { fill: #0072b2 }\n"
    ".stopped { fill: #f0a830 }\n"
    "</style>\n"
    "<rect width=\"12000\" height=\"6800\" fill=\"#fff\"/>\n"
    "<rect class=\"accepted\" x=\"200\" y=\"790\" width=\"160\" height=\"160\"/>\n"
    "<rect class=\"stopped\" x=\"200\" y=\"1110\" width=\"160\" height=\"160\"/>\n"
    "<text class=\"small\" x=\"200\" y=\"6650\">A copy is one message in one mailbox. ";

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

static void add_line(struct text *out, const char *class, const int64_t from[2],
                     const int64_t to[2])
{
    text_printf(out,
                "<line class=\"%s\" x1=\"%lld\" y1=\"%lld\" x2=\"%lld\" y2=\"%lld\"/>\n",
                class, (long long)from[0], (long long)from[1], (long long)to[0],
                (long long)to[1]);
}

static void open_text(struct text *out, const char *class, int64_t x, int64_t y)
{
    text_printf(out, "<text class=\"%s\" x=\"%lld\" y=\"%lld\">", class, (long long)x,
                (long long)y);
}

static void add_label(struct text *out, const char *class, int64_t x, int64_t y,
                      const char *label)
{
    open_text(out, class, x, y);
    add_text(out, label, TITLE_MAX);
    text_add_string(out, "</text>\n");
}

/* ---- scales ---- */

/* Lines at 1, 2 or 5 times a power of ten, at most five of them. */
static void scale_up(struct chart *chart)
{
    int64_t most = 1;
    int64_t power = 1;
    static const int64_t factors[] = {1, 2, 5};
    for (size_t i = 0; i < chart->timeline.count; i++) {
        const struct interval *interval = &chart->timeline.intervals[i];
        int64_t copies =
            interval->by[ACTION_ACCEPT].copies + report_stopped(interval->by).copies;
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

/* One interval free on each side, and enough in all that a single message is a thin bar.
 */
static void scale_across(struct chart *chart)
{
    const struct timeline *timeline = &chart->timeline;
    if (timeline->count > 0) {
        chart->first = timeline->intervals[0].number - 1;
        chart->count = timeline->intervals[timeline->count - 1].number - chart->first + 2;
    }
    if (chart->count < INTERVALS_LEAST) {
        chart->first -= (INTERVALS_LEAST - chart->count) / 2;
        chart->count = INTERVALS_LEAST;
    }
}

/* Where a local time stands. */
static int64_t x_of(const struct chart *chart, int64_t local_ms)
{
    int64_t step_ms = chart->timeline.step_minutes * REPORT_MINUTE_MS;
    int64_t from_ms = timeline_start_ms(&chart->timeline, chart->first);
    /* in seconds: ten years times the width fit */
    return LEFT +
           (local_ms - from_ms) / 1000 * (RIGHT - LEFT) / (chart->count * step_ms / 1000);
}

static int64_t height_of(const struct chart *chart, int64_t copies)
{
    int64_t room = BOTTOM - TOP;
    int64_t height = copies > INT64_MAX / room ? copies / chart->top * room
                                               : copies * room / chart->top;
    return copies > 0 && height < THINNEST ? THINNEST : height;
}

/* ---- axes ---- */

static void draw_lines(const struct chart *chart)
{
    for (int64_t copies = 0; copies <= chart->top; copies += chart->tick) {
        char number[TEXT_GROUPED_SIZE];
        int64_t y = BOTTOM - height_of(chart, copies);
        const int64_t from[2] = {LEFT, y};
        const int64_t to[2] = {RIGHT, y};
        add_line(chart->out, copies == 0 ? "axis" : "grid", from, to);
        add_label(chart->out, "number", LEFT - 100, y + 45, text_grouped(copies, number));
    }
    open_text(chart->out, "small", LEFT - 800, TOP - 380);
    text_printf(chart->out, "copies per %s</text>\n",
                timeline_step_name(chart->timeline.step_minutes));
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
        const int64_t upper[2] = {x, BOTTOM};
        const int64_t lower[2] = {x, BOTTOM + 60};
        add_line(chart->out, "axis", upper, lower);
        timeline_format(at * REPORT_MINUTE_MS, tick_format(tick, minutes), label);
        add_label(chart->out, "clock", x, BOTTOM + 220, label);
    }
    timeline_format(from * REPORT_MINUTE_MS,
                    minutes <= 1440 ? "local time, %a %d %B %Y" : "local time", label);
    add_label(chart->out, "clock", (LEFT + RIGHT) / 2, BOTTOM + 460, label);
}

/* ---- what happened ---- */

static void draw_bar(const struct chart *chart, const char *class,
                     const int64_t across[2], int64_t base, int64_t height)
{
    if (height == 0)
        return;
    text_printf(
        chart->out,
        "<rect class=\"%s\" x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\"/>\n",
        class, (long long)across[0], (long long)(base - height), (long long)across[1],
        (long long)height);
}

static void draw_bars(const struct chart *chart)
{
    int64_t step_ms = chart->timeline.step_minutes * REPORT_MINUTE_MS;
    for (size_t i = 0; i < chart->timeline.count; i++) {
        const struct interval *interval = &chart->timeline.intervals[i];
        int64_t start_ms = timeline_start_ms(&chart->timeline, interval->number);
        int64_t x = x_of(chart, start_ms);
        int64_t width = x_of(chart, start_ms + step_ms) - x;
        const int64_t across[2] = {x, width > 60 ? width - 10 : width};
        int64_t accepted = height_of(chart, interval->by[ACTION_ACCEPT].copies);
        draw_bar(chart, "accepted", across, BOTTOM, accepted);
        draw_bar(chart, "stopped", across, BOTTOM - accepted,
                 height_of(chart, report_stopped(interval->by).copies));
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
    bool right = x > (LEFT + RIGHT) / 2;
    const int64_t upper[2] = {x, TOP - 130};
    const int64_t lower[2] = {x, BOTTOM};
    bool days = chart->count * chart->timeline.step_minutes > 1440;
    add_line(chart->out, "closed", upper, lower);
    timeline_format(local_ms, days ? "%d %b %Y %H:%M:%S" : "%H:%M:%S", label);
    open_text(chart->out, right ? "mark left" : "mark", x + (right ? -80 : 80), TOP - 50);
    text_printf(chart->out, "The brake closes: %s, rule ", label);
    add_text(chart->out, report->deciders[report->closed.decider].name, NOTE_MAX);
    text_add_string(chart->out, "</text>\n");
}

/* "118 messages were stopped: 1,180,000 copies" */
static void draw_sum(const struct chart *chart, int64_t y, const struct report_sum *sum,
                     const char *fate)
{
    char messages[TEXT_GROUPED_SIZE];
    char copies[TEXT_GROUPED_SIZE];
    open_text(chart->out, "words", 460, y);
    if (sum->messages == 0)
        text_printf(chart->out, "Nothing %s", fate);
    else
        text_printf(chart->out, "%s message%s %s: %s %s",
                    text_grouped(sum->messages, messages), sum->messages == 1 ? "" : "s",
                    fate, text_grouped(sum->copies, copies),
                    sum->copies == 1 ? "copy" : "copies");
    text_add_string(chart->out, "</text>\n");
}

static void draw_sums(const struct chart *chart)
{
    bool only_would = chart->report->policy->monitor || chart->report->past != NULL;
    const struct report_sum *by = chart->report->tags[SCENARIO_ALL].by;
    struct report_sum stopped = report_stopped(by);
    draw_sum(chart, 930, &by[ACTION_ACCEPT], only_would ? "would pass" : "went out");
    draw_sum(chart, 1250, &stopped,
             only_would              ? "would be stopped"
             : stopped.messages <= 1 ? "was stopped"
                                     : "were stopped");
}

enum status report_svg(const struct report *report, struct text *out)
{
    struct chart chart = {.report = report, .out = out};
    enum status status = timeline_by_span(report, INTERVALS_SHOWN, &chart.timeline);
    if (status != STATUS_OK)
        return status;
    scale_up(&chart);
    scale_across(&chart);
    const char *title = report_title(report);
    text_add_string(out, head);
    text_add_string(out, report->past != NULL
                             ? "Old mail, judged by Mailbrake from its log.</text>\n"
                             : "Replayed by Mailbrake on a simulated clock; no mail was "
                               "sent.</text>\n");
    text_add_string(out, "<title>");
    add_text(out, title, TITLE_MAX);
    text_add_string(out, "</title>\n");
    add_label(out, "title", 200, 480, title);
    draw_sums(&chart);
    draw_lines(&chart);
    draw_bars(&chart);
    draw_clock(&chart);
    draw_closed(&chart);
    text_add_string(out, "</svg>\n");
    timeline_clear(&chart.timeline);
    return out->failed ? STATUS_NOMEM : STATUS_OK;
}
