/* Everyday mail: who writes to whom is drawn, from the scenario's seed, so that it is the
 * same traffic in each replay. */
#include "replay/message_builder.h"

enum {
    INCOMING_PERCENT = 20, /* from outside to one person */
    TO_LIST_PERCENT = 4,   /* to one of its lists */
    SINGLE_PERCENT = 70,   /* of the rest: to one recipient */
    MANY_MAX = 5,          /* the others: to 2 up to so many */
    INSIDE_PERCENT = 75,   /* of recipients */
    REPLY_PERCENT = 40,
};

static int64_t draw(struct message_builder *builder, int64_t low, int64_t high)
{
    return formula_draw(&builder->scope.random, low, high);
}

static bool happens(struct message_builder *builder, int64_t percent)
{
    return draw(builder, 1, 100) <= percent;
}

/* Some write much, most write little. */
static int64_t draw_person(const struct series *series, struct message_builder *builder)
{
    int64_t a = draw(builder, 0, series->people - 1);
    int64_t b = draw(builder, 0, series->people - 1);
    return 1 + a * b / series->people;
}

/* A property of the person of that number. */
static enum status fill(const struct series *series, enum field_kind kind, int64_t person,
                        struct message_builder *builder, const char **out)
{
    const struct field *field = series_field(series, kind, NULL);
    builder->scope.n = person;
    return message_builder_fill(
        builder, field->values[(uint64_t)(person - 1) % field->value_count].words[0],
        out);
}

static enum status add_person(const struct series *series, enum field_kind kind,
                              struct message_builder *builder)
{
    const char *address = NULL;
    enum status status =
        fill(series, kind, draw(builder, 1, series->people), builder, &address);
    if (status != STATUS_OK)
        return status;
    if (builder->shown.length > 0)
        text_add_string(&builder->shown, ", ");
    text_add_string(&builder->shown, address);
    return message_builder_add_recipient(builder, address);
}

static enum status add_people(const struct series *series,
                              struct message_builder *builder)
{
    enum status status = STATUS_OK;
    int64_t count = happens(builder, SINGLE_PERCENT) ? 1 : draw(builder, 2, MANY_MAX);
    for (int64_t i = 0; i < count && status == STATUS_OK; i++) {
        bool inside = happens(builder, INSIDE_PERCENT);
        status = add_person(series, inside ? FIELD_FROM : FIELD_OUTSIDE, builder);
    }
    return status;
}

static enum status add_list(const struct field *lists, struct message_builder *builder)
{
    const char *address = NULL;
    int64_t first;
    int64_t last;
    const struct field_value *value =
        &lists->values[draw(builder, 0, (int64_t)lists->value_count - 1)];
    const struct template *template =
        value->words[draw(builder, 0, (int64_t)value->word_count - 1)];
    enum status status =
        template_range(template, &builder->scope, &first, &last, builder->error);
    if (status != STATUS_OK)
        return status;
    builder->scope.k = last > first ? draw(builder, first, last) : first;
    status = message_builder_fill(builder, template, &address);
    if (status != STATUS_OK)
        return status;
    text_add_string(&builder->shown, address);
    return message_builder_add_recipient(builder, address);
}

/* From somebody outside, who has no login here. */
static enum status make_incoming(const struct series *series,
                                 struct message_builder *builder)
{
    int64_t person = draw(builder, 1, series->people);
    enum status status =
        fill(series, FIELD_OUTSIDE, person, builder, &builder->envelope.sender);
    if (status != STATUS_OK)
        return status;
    text_reset(&builder->scratch);
    text_printf(&builder->scratch, "198.51.100.%lld", (long long)(person % 254 + 1));
    builder->envelope.client =
        arena_copy(&builder->arena, builder->scratch.data, builder->scratch.length);
    if (builder->envelope.client == NULL)
        return STATUS_NOMEM;
    return add_person(series, FIELD_FROM, builder);
}

static enum status make_outgoing(const struct series *series,
                                 struct message_builder *builder)
{
    const struct field *lists = series_field(series, FIELD_LISTS, NULL);
    int64_t person = draw_person(series, builder);
    enum status status =
        fill(series, FIELD_FROM, person, builder, &builder->envelope.sender);
    builder->envelope.login = builder->envelope.sender;
    if (status == STATUS_OK)
        status = fill(series, FIELD_CLIENT, person, builder, &builder->envelope.client);
    if (status != STATUS_OK)
        return status;
    if (lists != NULL && happens(builder, TO_LIST_PERCENT))
        return add_list(lists, builder);
    return add_people(series, builder);
}

static enum status add_headers(struct message_builder *builder)
{
    bool reply = happens(builder, REPLY_PERCENT);
    enum status status = message_builder_add_header(builder, "To", &builder->shown);
    if (status != STATUS_OK)
        return status;
    text_reset(&builder->scratch);
    text_add_string(&builder->scratch, reply ? "Re: about " : "about ");
    template_name(draw(builder, 1, 1000000), &builder->scratch);
    status = message_builder_add_header(builder, "Subject", &builder->scratch);
    if (status != STATUS_OK || !reply)
        return status;
    text_reset(&builder->scratch);
    text_printf(&builder->scratch, "<%lld@replay.invalid>",
                (long long)draw(builder, 1, 1000000));
    return message_builder_add_header(builder, "In-Reply-To", &builder->scratch);
}

enum status background_traffic_make(const struct series *series,
                                    struct message_builder *builder)
{
    text_reset(&builder->shown);
    enum status status = happens(builder, INCOMING_PERCENT)
                             ? make_incoming(series, builder)
                             : make_outgoing(series, builder);
    return status == STATUS_OK ? add_headers(builder) : status;
}
