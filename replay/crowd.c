/* Everyday mail: who writes to whom is drawn, from the scenario's seed, so that it is the
 * same crowd in each replay. */
#include "replay/player_parts.h"

enum {
    INCOMING_PERCENT = 20, /* from outside to one person */
    TO_LIST_PERCENT = 4,   /* to one of its lists */
    SINGLE_PERCENT = 70,   /* of the rest: to one recipient */
    MANY_MAX = 5,          /* the others: to 2 up to so many */
    INSIDE_PERCENT = 75,   /* of recipients */
    REPLY_PERCENT = 40,
};

static int64_t draw(struct making *making, int64_t low, int64_t high)
{
    return formula_draw(&making->scope.random, low, high);
}

static bool happens(struct making *making, int64_t percent)
{
    return draw(making, 1, 100) <= percent;
}

/* Some write much, most write little. */
static int64_t draw_person(const struct series *series, struct making *making)
{
    int64_t a = draw(making, 0, series->people - 1);
    int64_t b = draw(making, 0, series->people - 1);
    return 1 + a * b / series->people;
}

/* A property of the person of that number. */
static enum status fill(const struct series *series, enum field_kind kind, int64_t person,
                        struct making *making, const char **out)
{
    const struct field *field = series_field(series, kind, NULL);
    making->scope.n = person;
    return making_fill(
        making, field->turns[(uint64_t)(person - 1) % field->turn_count].items[0], out);
}

static enum status add_person(const struct series *series, enum field_kind kind,
                              struct making *making)
{
    const char *address = NULL;
    enum status status =
        fill(series, kind, draw(making, 1, series->people), making, &address);
    if (status != STATUS_OK)
        return status;
    if (making->shown.length > 0)
        text_add_string(&making->shown, ", ");
    text_add_string(&making->shown, address);
    return making_recipient(making, address);
}

static enum status add_people(const struct series *series, struct making *making)
{
    enum status status = STATUS_OK;
    int64_t count = happens(making, SINGLE_PERCENT) ? 1 : draw(making, 2, MANY_MAX);
    for (int64_t i = 0; i < count && status == STATUS_OK; i++) {
        bool inside = happens(making, INSIDE_PERCENT);
        status = add_person(series, inside ? FIELD_FROM : FIELD_OUTSIDE, making);
    }
    return status;
}

static enum status add_list(const struct field *lists, struct making *making)
{
    const char *address = NULL;
    int64_t first;
    int64_t last;
    const struct words *words =
        &lists->turns[draw(making, 0, (int64_t)lists->turn_count - 1)];
    const struct template *template =
        words->items[draw(making, 0, (int64_t)words->count - 1)];
    enum status status =
        template_range(template, &making->scope, &first, &last, making->error);
    if (status != STATUS_OK)
        return status;
    making->scope.k = last > first ? draw(making, first, last) : first;
    status = making_fill(making, template, &address);
    if (status != STATUS_OK)
        return status;
    text_add_string(&making->shown, address);
    return making_recipient(making, address);
}

/* From somebody outside, who has no login here. */
static enum status make_incoming(const struct series *series, struct making *making)
{
    int64_t person = draw(making, 1, series->people);
    enum status status =
        fill(series, FIELD_OUTSIDE, person, making, &making->envelope.sender);
    if (status != STATUS_OK)
        return status;
    text_reset(&making->scratch);
    text_printf(&making->scratch, "198.51.100.%lld", (long long)(person % 254 + 1));
    making->envelope.client =
        arena_copy(&making->arena, making->scratch.data, making->scratch.length);
    if (making->envelope.client == NULL)
        return STATUS_NOMEM;
    return add_person(series, FIELD_FROM, making);
}

static enum status make_outgoing(const struct series *series, struct making *making)
{
    const struct field *lists = series_field(series, FIELD_LISTS, NULL);
    int64_t person = draw_person(series, making);
    enum status status =
        fill(series, FIELD_FROM, person, making, &making->envelope.sender);
    making->envelope.login = making->envelope.sender;
    if (status == STATUS_OK)
        status = fill(series, FIELD_CLIENT, person, making, &making->envelope.client);
    if (status != STATUS_OK)
        return status;
    if (lists != NULL && happens(making, TO_LIST_PERCENT))
        return add_list(lists, making);
    return add_people(series, making);
}

static enum status add_headers(struct making *making)
{
    bool reply = happens(making, REPLY_PERCENT);
    enum status status = making_header(making, "To", &making->shown);
    if (status != STATUS_OK)
        return status;
    text_reset(&making->scratch);
    text_add_string(&making->scratch, reply ? "Re: about " : "about ");
    template_name(draw(making, 1, 1000000), &making->scratch);
    status = making_header(making, "Subject", &making->scratch);
    if (status != STATUS_OK || !reply)
        return status;
    text_reset(&making->scratch);
    text_printf(&making->scratch, "<%lld@replay.invalid>",
                (long long)draw(making, 1, 1000000));
    return making_header(making, "In-Reply-To", &making->scratch);
}

enum status crowd_make(const struct series *series, struct making *making)
{
    text_reset(&making->shown);
    enum status status = happens(making, INCOMING_PERCENT)
                             ? make_incoming(series, making)
                             : make_outgoing(series, making);
    return status == STATUS_OK ? add_headers(making) : status;
}
