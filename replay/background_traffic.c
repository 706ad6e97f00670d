/* Everyday mail: senders and recipients are drawn from a fixed seed, so that each replay
 * has the same traffic. */
#include "replay/background_traffic.h"

#include <string.h>

#include "replay/random.h"
#include "replay/scenario.h"

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
    return random_draw(&builder->random, low, high);
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

/* A property of the person of that number; NULL: an address elsewhere. */
static enum status fill(const struct field *field, int64_t person,
                        struct message_builder *builder, const char **out)
{
    const char *value = "friend{n}@example.net";
    if (field != NULL)
        value = field->values[(uint64_t)(person - 1) % field->value_count];
    builder->scope.n = person;
    return message_builder_fill(builder, value, strlen(value), out);
}

static enum status add_person(const struct series *series, bool inside,
                              struct message_builder *builder)
{
    const char *address = NULL;
    enum status status = fill(inside ? &series->fields[FIELD_FROM] : NULL,
                              draw(builder, 1, series->people), builder, &address);
    return status == STATUS_OK ? message_builder_add_recipient(builder, address) : status;
}

static enum status add_people(const struct series *series,
                              struct message_builder *builder)
{
    enum status status = STATUS_OK;
    int64_t count = happens(builder, SINGLE_PERCENT) ? 1 : draw(builder, 2, MANY_MAX);
    for (int64_t i = 0; i < count && status == STATUS_OK; i++) {
        bool inside = happens(builder, INSIDE_PERCENT);
        status = add_person(series, inside, builder);
    }
    return status;
}

/* One of the words of a line. */
static const char *draw_word(const char *line, struct message_builder *builder,
                             size_t *out_length)
{
    int64_t count = 0;
    const char *word = NULL;
    for (const char *at = line; template_word(&at, out_length) != NULL;)
        count++;
    for (int64_t i = draw(builder, 0, count - 1); i >= 0; i--)
        word = template_word(&line, out_length);
    return word;
}

static enum status add_list(const struct field *lists, struct message_builder *builder)
{
    const char *address = NULL;
    int64_t first;
    int64_t count;
    size_t length;
    int64_t line = draw(builder, 0, (int64_t)lists->value_count - 1);
    const char *word = draw_word(lists->values[line], builder, &length);
    enum status status = template_range(word, length, &builder->scope, SCENARIO_LISTS_MAX,
                                        &first, &count, builder->error);
    if (status != STATUS_OK)
        return status;
    builder->scope.k = count > 1 ? draw(builder, first, first + count - 1) : first;
    status = message_builder_fill(builder, word, length, &address);
    return status == STATUS_OK ? message_builder_add_recipient(builder, address) : status;
}

/* From somebody outside, who has no login here. */
static enum status make_incoming(const struct series *series,
                                 struct message_builder *builder)
{
    int64_t person = draw(builder, 1, series->people);
    enum status status = fill(NULL, person, builder, &builder->envelope.sender);
    if (status != STATUS_OK)
        return status;
    text_reset(&builder->scratch);
    text_printf(&builder->scratch, "198.51.100.%lld", (long long)(person % 254 + 1));
    builder->envelope.client =
        arena_copy(&builder->arena, builder->scratch.data, builder->scratch.length);
    if (builder->envelope.client == NULL)
        return STATUS_NOMEM;
    return add_person(series, true, builder);
}

static enum status make_outgoing(const struct series *series,
                                 struct message_builder *builder)
{
    const struct field *fields = series->fields;
    int64_t person = draw_person(series, builder);
    enum status status =
        fill(&fields[FIELD_FROM], person, builder, &builder->envelope.sender);
    builder->envelope.login = builder->envelope.sender;
    if (status == STATUS_OK)
        status = fill(&fields[FIELD_CLIENT], person, builder, &builder->envelope.client);
    if (status != STATUS_OK)
        return status;
    if (fields[FIELD_LISTS].value_count > 0 && happens(builder, TO_LIST_PERCENT))
        return add_list(&fields[FIELD_LISTS], builder);
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
