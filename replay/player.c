/* A heap of series, the one whose next message is due first on top. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "replay/player_parts.h"

/* Where a series is. */
struct cursor {
    const struct series *series;
    size_t index;
    int64_t runs[SCENARIO_LOOPS_MAX]; /* of each block, from 0 */
    int64_t run;                      /* of all blocks together, from 1 */
    int64_t base_ms;                  /* start of this run, since the start */
    int64_t message;                  /* from 0, in this run */
    int64_t *offsets;                 /* of a run at random, ascending; else NULL */
    int64_t next_ms;                  /* since the start */
};

struct player {
    const struct scenario *scenario;
    struct cursor *cursors;
    struct cursor **heap;
    size_t heap_count;
    int64_t number;
    struct making making;
};

/* ---- when ---- */

static int compare_offset(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Different for each series, run and message, and the same in each replay. */
static uint64_t seed_of(const struct scenario *scenario, const struct cursor *cursor,
                        int64_t message)
{
    uint64_t state = scenario->seed;
    const uint64_t parts[] = {cursor->index, (uint64_t)cursor->run, (uint64_t)message};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        state += parts[i] + 1;
        state = (uint64_t)formula_draw(&state, INT64_MIN, INT64_MAX);
    }
    return state;
}

static void draw_offsets(const struct scenario *scenario, struct cursor *cursor)
{
    const struct timing *timing = &cursor->series->timing;
    uint64_t state = seed_of(scenario, cursor, -1);
    for (int64_t i = 0; i < timing->times; i++)
        cursor->offsets[i] = formula_draw(&state, 0, timing->span_ms - 1);
    qsort(cursor->offsets, (size_t)timing->times, sizeof *cursor->offsets,
          compare_offset);
}

static void set_next(struct cursor *cursor)
{
    const struct timing *timing = &cursor->series->timing;
    int64_t i = cursor->message;
    int64_t offset = i * timing->every_ms;
    if (cursor->offsets != NULL)
        offset = cursor->offsets[i];
    else if (timing->every_ms == 0) /* i x span / times, without passing 63 bits */
        offset = timing->span_ms / timing->times * i +
                 timing->span_ms % timing->times * i / timing->times;
    cursor->next_ms = cursor->base_ms + timing->at_ms + offset;
}

/* False when the series is over. */
static bool advance(const struct scenario *scenario, struct cursor *cursor)
{
    const struct series *series = cursor->series;
    size_t i = series->loop_count;
    if (++cursor->message >= series->timing.times) {
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
            draw_offsets(scenario, cursor);
    }
    set_next(cursor);
    return true;
}

static bool is_before(const struct cursor *a, const struct cursor *b)
{
    return a->next_ms < b->next_ms || (a->next_ms == b->next_ms && a->index < b->index);
}

/* Moves what stands at i down to its place. */
static void sink(struct player *player, size_t i)
{
    struct cursor **heap = player->heap;
    for (;;) {
        size_t least = 2 * i + 1;
        if (least >= player->heap_count)
            return;
        if (least + 1 < player->heap_count && is_before(heap[least + 1], heap[least]))
            least++;
        if (!is_before(heap[least], heap[i]))
            return;
        struct cursor *lower = heap[i];
        heap[i] = heap[least];
        heap[least] = lower;
        i = least;
    }
}

static bool start(struct player *player)
{
    const struct scenario *scenario = player->scenario;
    for (size_t i = 0; i < scenario->series_count; i++) {
        const struct series *series = &scenario->series[i];
        struct cursor *cursor = &player->cursors[i];
        *cursor = (struct cursor){.series = series, .index = i, .run = 1};
        if (series->timing.times == 0)
            continue;
        if (series->timing.random) {
            cursor->offsets =
                calloc((size_t)series->timing.times, sizeof *cursor->offsets);
            if (cursor->offsets == NULL)
                return false;
            draw_offsets(scenario, cursor);
        }
        set_next(cursor);
        player->heap[player->heap_count++] = cursor;
    }
    for (size_t i = player->heap_count / 2; i-- > 0;)
        sink(player, i);
    return true;
}

struct player *player_new(const struct scenario *scenario)
{
    struct player *player = calloc(1, sizeof *player);
    if (player == NULL)
        return NULL;
    player->scenario = scenario;
    player->cursors = calloc(scenario->series_count + 1, sizeof *player->cursors);
    player->heap = calloc(scenario->series_count + 1, sizeof(struct cursor *));
    if (player->cursors == NULL || player->heap == NULL || !start(player)) {
        player_free(player);
        return NULL;
    }
    return player;
}

void player_free(struct player *player)
{
    if (player == NULL)
        return;
    for (size_t i = 0; player->cursors != NULL && i < player->scenario->series_count; i++)
        free(player->cursors[i].offsets);
    arena_clear(&player->making.arena);
    text_clear(&player->making.scratch);
    text_clear(&player->making.shown);
    free(player->making.recipients);
    free(player->making.headers);
    free(player->cursors);
    free(player->heap);
    free(player);
}

/* ---- who, whom, what ---- */

static enum status keep(struct making *making, const struct text *text, const char **out)
{
    const char *copy =
        text->failed ? NULL : arena_copy(&making->arena, text_string(text), text->length);
    if (copy == NULL)
        return STATUS_NOMEM;
    *out = copy;
    return STATUS_OK;
}

enum status making_fill(struct making *making, const struct template *template,
                        const char **out)
{
    text_reset(&making->scratch);
    enum status status =
        template_fill(template, &making->scope, &making->scratch, making->error);
    return status == STATUS_OK ? keep(making, &making->scratch, out) : status;
}

enum status making_recipient(struct making *making, const char *address)
{
    if (making->recipient_count == RECIPIENTS_MAX)
        return error_set(making->error, STATUS_INVALID, "more than %d recipients",
                         RECIPIENTS_MAX);
    if (making->recipient_count == making->recipient_capacity) {
        size_t capacity =
            making->recipient_capacity == 0 ? 8 : 2 * making->recipient_capacity;
        struct envelope_recipient *grown =
            reallocarray(making->recipients, capacity, sizeof *grown);
        if (grown == NULL)
            return STATUS_NOMEM;
        making->recipients = grown;
        making->recipient_capacity = capacity;
    }
    making->recipients[making->recipient_count++] =
        (struct envelope_recipient){.typed = address, .address = address};
    return STATUS_OK;
}

enum status making_header(struct making *making, const char *name,
                          const struct text *value)
{
    if (making->header_count == making->header_capacity) {
        size_t capacity = making->header_capacity + 8;
        struct header *grown = reallocarray(making->headers, capacity, sizeof *grown);
        if (grown == NULL)
            return STATUS_NOMEM;
        making->headers = grown;
        making->header_capacity = capacity;
    }
    struct header *header = &making->headers[making->header_count];
    enum status status = keep(making, value, &header->value);
    if (status != STATUS_OK)
        return status;
    header->name = name;
    making->header_count++;
    return STATUS_OK;
}

static const struct words *turn_of(const struct field *field, int64_t n)
{
    return &field->turns[(uint64_t)(n - 1) % field->turn_count];
}

/* A field's text for this message; leaves *out alone when the series has none. */
static enum status fill_field(const struct series *series, enum field_kind kind,
                              struct making *making, const char **out)
{
    const struct field *field = series_field(series, kind, NULL);
    if (field == NULL)
        return STATUS_OK;
    return making_fill(making, turn_of(field, making->scope.n)->items[0], out);
}

static enum status add_addresses(const struct template *template, struct making *making)
{
    int64_t first;
    int64_t end;
    enum status status =
        template_range(template, &making->scope, &first, &end, making->error);
    if (status == STATUS_OK && end - first >= RECIPIENTS_MAX)
        return error_set(making->error, STATUS_INVALID, "more than %d recipients",
                         RECIPIENTS_MAX);
    for (int64_t k = first; status == STATUS_OK && k <= end; k++) {
        const char *address = NULL;
        making->scope.k = k;
        status = making_fill(making, template, &address);
        if (status == STATUS_OK)
            status = making_recipient(making, address);
        if (making->shown.length > 0)
            text_add_string(&making->shown, ", ");
        text_add(&making->shown, making->scratch.data, making->scratch.length);
    }
    return status;
}

/* header: where they are shown, unless the scenario says what stands there; NULL: not. */
static enum status take_recipients(const struct series *series, enum field_kind kind,
                                   const char *header, struct making *making)
{
    const struct field *field = series_field(series, kind, NULL);
    enum status status = STATUS_OK;
    if (field == NULL)
        return STATUS_OK;
    const struct words *words = turn_of(field, making->scope.n);
    text_reset(&making->shown);
    for (size_t i = 0; i < words->count && status == STATUS_OK; i++)
        status = add_addresses(words->items[i], making);
    if (status != STATUS_OK || header == NULL ||
        series_field(series, FIELD_HEADER, header) != NULL)
        return status;
    return making_header(making, header, &making->shown);
}

static enum status take_headers(const struct series *series, struct making *making)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < series->field_count && status == STATUS_OK; i++) {
        const struct field *field = &series->fields[i];
        if (field->kind != FIELD_HEADER)
            continue;
        text_reset(&making->scratch);
        status = template_fill(turn_of(field, making->scope.n)->items[0], &making->scope,
                               &making->scratch, making->error);
        if (status == STATUS_OK)
            status = making_header(making, field->name, &making->scratch);
    }
    return status;
}

static enum status make_sent(const struct series *series, struct making *making)
{
    struct envelope *envelope = &making->envelope;
    enum status status = fill_field(series, FIELD_LOGIN, making, &envelope->login);
    if (status == STATUS_OK)
        status = fill_field(series, FIELD_FROM, making, &envelope->sender);
    if (status == STATUS_OK)
        status = fill_field(series, FIELD_CLIENT, making, &envelope->client);
    if (status == STATUS_OK)
        status = take_recipients(series, FIELD_TO, "To", making);
    if (status == STATUS_OK)
        status = take_recipients(series, FIELD_CC, "Cc", making);
    if (status == STATUS_OK)
        status = take_recipients(series, FIELD_BCC, NULL, making);
    if (status == STATUS_OK)
        status = take_headers(series, making);
    return status;
}

/* Every message has an id of its own, as mail programs see to. */
static enum status add_message_id(const struct cursor *cursor, struct making *making)
{
    if (series_field(cursor->series, FIELD_HEADER, "Message-ID") != NULL)
        return STATUS_OK;
    text_reset(&making->scratch);
    text_printf(&making->scratch, "<%zu.%lld.%lld@replay.invalid>", cursor->index,
                (long long)cursor->run, (long long)cursor->message + 1);
    return making_header(making, "Message-ID", &making->scratch);
}

static enum status make(struct player *player, const struct cursor *cursor)
{
    struct making *making = &player->making;
    const struct series *series = cursor->series;
    arena_reset(&making->arena);
    making->recipient_count = making->header_count = 0;
    making->envelope = (struct envelope){.client = "192.0.2.1", .sender = ""};
    making->scope = (struct formula_scope){
        .n = cursor->message + 1,
        .run = cursor->run,
        .random = seed_of(player->scenario, cursor, cursor->message)};
    enum status status =
        series->ordinary ? crowd_make(series, making) : make_sent(series, making);
    if (status == STATUS_OK)
        status = add_message_id(cursor, making);
    if (status != STATUS_OK)
        return status;
    struct envelope *envelope = &making->envelope;
    envelope->local = strcmp(envelope->client, "local") == 0;
    if (strcmp(envelope->sender, "<>") == 0)
        envelope->sender = "";
    if (envelope->login != NULL && envelope->login[0] == '\0')
        envelope->login = NULL;
    envelope->recipients = making->recipients;
    envelope->recipient_count = making->recipient_count;
    envelope->headers = making->headers;
    envelope->header_count = making->header_count;
    return STATUS_OK;
}

enum status player_next(struct player *player, struct played *out, struct error *error)
{
    if (player->heap_count == 0)
        return STATUS_NOT_FOUND;
    struct cursor *cursor = player->heap[0];
    struct error found = {0};
    player->making.error = &found;
    enum status status = make(player, cursor);
    if (status == STATUS_INVALID)
        return error_set_at(error, status, player->scenario->file, cursor->series->line,
                            "%s", found.text);
    if (status != STATUS_OK)
        return status;
    *out = (struct played){.number = ++player->number,
                           .at_ms = player->scenario->start_ms + cursor->next_ms,
                           .tag = cursor->series->tag,
                           .envelope = player->making.envelope};
    if (!advance(player->scenario, cursor))
        player->heap[0] = player->heap[--player->heap_count];
    sink(player, 0);
    return STATUS_OK;
}
