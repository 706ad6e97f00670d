/* Texts live in an arena, which the next message clears. */
#include "replay/message_builder.h"

#include <stdlib.h>

#include "base/array.h"

void message_builder_clear(struct message_builder *builder)
{
    arena_clear(&builder->arena);
    text_clear(&builder->scratch);
    text_clear(&builder->shown);
    free(builder->recipients);
    free(builder->headers);
}

static enum status keep(struct message_builder *builder, const struct text *text,
                        const char **out)
{
    const char *copy = text->failed
                           ? NULL
                           : arena_copy(&builder->arena, text_string(text), text->length);
    if (copy == NULL)
        return STATUS_NOMEM;
    *out = copy;
    return STATUS_OK;
}

enum status message_builder_fill(struct message_builder *builder, const char *template,
                                 size_t length, const char **out)
{
    text_reset(&builder->scratch);
    enum status status = template_fill(template, length, &builder->scope,
                                       &builder->scratch, builder->error);
    return status == STATUS_OK ? keep(builder, &builder->scratch, out) : status;
}

enum status message_builder_add_recipient(struct message_builder *builder,
                                          const char *address)
{
    if (builder->recipient_count == RECIPIENTS_MAX)
        return error_set(builder->error, STATUS_INVALID, "more than %d recipients",
                         RECIPIENTS_MAX);
    if (!array_reserve(&builder->recipients, builder->recipient_count,
                       sizeof *builder->recipients))
        return STATUS_NOMEM;
    builder->recipients[builder->recipient_count++] =
        (struct envelope_recipient){.typed = address, .address = address};
    if (builder->shown.length > 0)
        text_add_string(&builder->shown, ", ");
    text_add_string(&builder->shown, address);
    return STATUS_OK;
}

enum status message_builder_add_recipients(struct message_builder *builder,
                                           const char *word, size_t length)
{
    int64_t first;
    int64_t count;
    enum status status = template_range(word, length, &builder->scope, RECIPIENTS_MAX,
                                        &first, &count, builder->error);
    for (int64_t i = 0; status == STATUS_OK && i < count; i++) {
        const char *address = NULL;
        builder->scope.k = first + i;
        status = message_builder_fill(builder, word, length, &address);
        if (status == STATUS_OK)
            status = message_builder_add_recipient(builder, address);
    }
    return status;
}

enum status message_builder_add_header(struct message_builder *builder, const char *name,
                                       const struct text *value)
{
    if (!array_reserve(&builder->headers, builder->header_count,
                       sizeof *builder->headers))
        return STATUS_NOMEM;
    struct header *header = &builder->headers[builder->header_count];
    enum status status = keep(builder, value, &header->value);
    if (status != STATUS_OK)
        return status;
    header->name = name;
    builder->header_count++;
    return STATUS_OK;
}
