/* A heap of series, the one whose next message is due first on top. */
#include <stdlib.h>
#include <string.h>

#include "replay/background_traffic.h"
#include "replay/generator.h"
#include "replay/random.h"

/* Where a series is. */
struct cursor {
    const struct series *series;
    size_t index;
    int64_t runs[SERIES_LOOPS_MAX]; /* of each block, from 0 */
    int64_t run;                    /* of all blocks together, from 1 */
    int64_t base_ms;                /* start of this run, since the start */
    int64_t message;                /* from 0, in this run */
    int64_t *offsets;               /* of a run at random, ascending; else NULL */
    int64_t next_ms;                /* since the start */
};

struct generator {
    const struct scenario *scenario;
    struct cursor *cursors;
    struct cursor **heap;
    size_t heap_count;
    int64_t number;
    struct message_builder builder;
};

/* ---- when ---- */

static int compare_offset(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Different for each series, run and message, and the same in each replay. */
static uint64_t seed_of(const struct cursor *cursor, int64_t message)
{
    uint64_t state = 1;
    const uint64_t parts[] = {cursor->index, (uint64_t)cursor->run, (uint64_t)message};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        state += parts[i] + 1;
        state = (uint64_t)random_draw(&state, INT64_MIN, INT64_MAX);
    }
    return state;
}

static void draw_offsets(struct cursor *cursor)
{
    const struct schedule *schedule = &cursor->series->schedule;
    uint64_t state = seed_of(cursor, -1);
    for (int64_t i = 0; i < schedule->times; i++)
        cursor->offsets[i] = random_draw(&state, 0, schedule->span_ms - 1);
    qsort(cursor->offsets, (size_t)schedule->times, sizeof *cursor->offsets,
          compare_offset);
}

static void set_next(struct cursor *cursor)
{
    const struct schedule *schedule = &cursor->series->schedule;
    int64_t i = cursor->message;
    int64_t offset = i * schedule->every_ms;
    if (cursor->offsets != NULL)
        offset = cursor->offsets[i];
    else if (schedule->every_ms == 0) /* i x span / times, without passing 63 bits */
        offset = schedule->span_ms / schedule->times * i +
                 schedule->span_ms % schedule->times * i / schedule->times;
    cursor->next_ms = cursor->base_ms + schedule->at_ms + offset;
}

/* False when the series is over. */
static bool advance(struct cursor *cursor)
{
    const struct series *series = cursor->series;
    size_t i = series->loop_count;
    if (++cursor->message >= series->schedule.times) {
        while (i > 0 && cursor->runs[i - 1] + 1 >= series->loops[i - 1].times)
            cursor->runs[--i] = 0;
        if (i == 0)
            return false;
        cursor->runs[i - 1]++;
        cursor->run++;
        cursor->message = 0;
        cursor->base_ms = 0;
        for (size_t n = 0; n < series->loop_count; n++)
            cursor->base_ms += cursor->runs[n] * series->loops[n].each_ms;
        if (cursor->offsets != NULL)
            draw_offsets(cursor);
    }
    set_next(cursor);
    return true;
}

static bool is_before(const struct cursor *a, const struct cursor *b)
{
    return a->next_ms < b->next_ms || (a->next_ms == b->next_ms && a->index < b->index);
}

/* Moves the cursor at i down to its place. */
static void sink(struct generator *generator, size_t i)
{
    struct cursor **heap = generator->heap;
    for (;;) {
        size_t least = 2 * i + 1;
        if (least >= generator->heap_count)
            return;
        if (least + 1 < generator->heap_count && is_before(heap[least + 1], heap[least]))
            least++;
        if (!is_before(heap[least], heap[i]))
            return;
        struct cursor *lower = heap[i];
        heap[i] = heap[least];
        heap[least] = lower;
        i = least;
    }
}

static bool start(struct generator *generator)
{
    const struct scenario *scenario = generator->scenario;
    for (size_t i = 0; i < scenario->series_count; i++) {
        const struct series *series = &scenario->series[i];
        struct cursor *cursor = &generator->cursors[i];
        *cursor = (struct cursor){.series = series, .index = i, .run = 1};
        if (series->schedule.times == 0)
            continue;
        if (series->schedule.random) {
            cursor->offsets =
                calloc((size_t)series->schedule.times, sizeof *cursor->offsets);
            if (cursor->offsets == NULL)
                return false;
            draw_offsets(cursor);
        }
        set_next(cursor);
        generator->heap[generator->heap_count++] = cursor;
    }
    for (size_t i = generator->heap_count / 2; i-- > 0;)
        sink(generator, i);
    return true;
}

struct generator *generator_new(const struct scenario *scenario)
{
    struct generator *generator = calloc(1, sizeof *generator);
    if (generator == NULL)
        return NULL;
    generator->scenario = scenario;
    generator->cursors = calloc(scenario->series_count + 1, sizeof *generator->cursors);
    generator->heap = calloc(scenario->series_count + 1, sizeof(struct cursor *));
    if (generator->cursors == NULL || generator->heap == NULL || !start(generator)) {
        generator_free(generator);
        return NULL;
    }
    return generator;
}

void generator_free(struct generator *generator)
{
    if (generator == NULL)
        return;
    for (size_t i = 0;
         generator->cursors != NULL && i < generator->scenario->series_count; i++)
        free(generator->cursors[i].offsets);
    message_builder_clear(&generator->builder);
    free(generator->cursors);
    free(generator->heap);
    free(generator);
}

/* ---- who, whom, what ---- */

/* The value for message n, in turn; NULL when the series has none. */
static const char *value_of(const struct field *field, int64_t n)
{
    return field->value_count == 0
               ? NULL
               : field->values[(uint64_t)(n - 1) % field->value_count];
}

/* A field's text for this message; leaves *out alone when the series has none. */
static enum status fill_field(const struct field *field, struct message_builder *builder,
                              const char **out)
{
    const char *value = value_of(field, builder->scope.n);
    return value == NULL ? STATUS_OK
                         : message_builder_fill(builder, value, strlen(value), out);
}

/* header: the field that shows them, unless the scenario sets it; NULL: none. */
static enum status add_recipients(const struct series *series, enum field_kind kind,
                                  const char *header, struct message_builder *builder)
{
    const char *value = value_of(&series->fields[kind], builder->scope.n);
    size_t length;
    enum status status = STATUS_OK;
    if (value == NULL)
        return STATUS_OK;
    text_reset(&builder->shown);
    for (const char *word;
         status == STATUS_OK && (word = template_word(&value, &length)) != NULL;)
        status = message_builder_add_recipients(builder, word, length);
    if (status != STATUS_OK || header == NULL || series_header(series, header) != NULL)
        return status;
    return message_builder_add_header(builder, header, &builder->shown);
}

static enum status add_headers(const struct series *series,
                               struct message_builder *builder)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < series->header_count && status == STATUS_OK; i++) {
        const char *text;
        status = fill_field(&series->headers[i], builder, &text);
        if (status == STATUS_OK)
            status = message_builder_add_header(builder, series->headers[i].name,
                                                &builder->scratch);
    }
    return status;
}

static enum status make_sent(const struct series *series, struct message_builder *builder)
{
    struct envelope *envelope = &builder->envelope;
    const struct field *fields = series->fields;
    enum status status = fill_field(&fields[FIELD_LOGIN], builder, &envelope->login);
    if (status == STATUS_OK)
        status = fill_field(&fields[FIELD_FROM], builder, &envelope->sender);
    if (status == STATUS_OK)
        status = fill_field(&fields[FIELD_CLIENT], builder, &envelope->client);
    if (status == STATUS_OK)
        status = add_recipients(series, FIELD_TO, "To", builder);
    if (status == STATUS_OK)
        status = add_recipients(series, FIELD_CC, "Cc", builder);
    if (status == STATUS_OK)
        status = add_recipients(series, FIELD_BCC, NULL, builder);
    if (status == STATUS_OK)
        status = add_headers(series, builder);
    return status;
}

/* Adds a unique Message-ID, unless the scenario sets one. */
static enum status add_message_id(const struct cursor *cursor,
                                  struct message_builder *builder)
{
    if (series_header(cursor->series, "Message-ID") != NULL)
        return STATUS_OK;
    text_reset(&builder->scratch);
    text_printf(&builder->scratch, "<%zu.%lld.%lld@replay.invalid>", cursor->index,
                (long long)cursor->run, (long long)cursor->message + 1);
    return message_builder_add_header(builder, "Message-ID", &builder->scratch);
}

static enum status make(struct generator *generator, const struct cursor *cursor)
{
    struct message_builder *builder = &generator->builder;
    const struct series *series = cursor->series;
    arena_reset(&builder->arena);
    builder->recipient_count = builder->header_count = 0;
    builder->envelope = (struct envelope){.client = "192.0.2.1", .sender = ""};
    builder->scope = (struct formula_scope){.n = cursor->message + 1, .run = cursor->run};
    builder->random = seed_of(cursor, cursor->message);
    enum status status = series->ordinary ? background_traffic_make(series, builder)
                                          : make_sent(series, builder);
    if (status == STATUS_OK)
        status = add_message_id(cursor, builder);
    if (status != STATUS_OK)
        return status;
    struct envelope *envelope = &builder->envelope;
    envelope->local = strcmp(envelope->client, "local") == 0;
    if (strcmp(envelope->sender, "<>") == 0)
        envelope->sender = "";
    if (envelope->login != NULL && envelope->login[0] == '\0')
        envelope->login = NULL;
    envelope->recipients = builder->recipients;
    envelope->recipient_count = builder->recipient_count;
    envelope->headers = builder->headers;
    envelope->header_count = builder->header_count;
    return STATUS_OK;
}

enum status generator_next(struct generator *generator, struct generated_message *out,
                           struct error *error)
{
    if (generator->heap_count == 0)
        return STATUS_NOT_FOUND;
    struct cursor *cursor = generator->heap[0];
    struct error found = {0};
    generator->builder.error = &found;
    enum status status = make(generator, cursor);
    if (status == STATUS_INVALID)
        return error_set_at(error, status, generator->scenario->file,
                            cursor->series->line, "%s", found.text);
    if (status != STATUS_OK)
        return status;
    *out = (struct generated_message){.number = ++generator->number,
                                      .at_ms =
                                          generator->scenario->start_ms + cursor->next_ms,
                                      .tag = cursor->series->tag,
                                      .envelope = generator->builder.envelope};
    if (!advance(cursor))
        generator->heap[0] = generator->heap[--generator->heap_count];
    sink(generator, 0);
    return STATUS_OK;
}
