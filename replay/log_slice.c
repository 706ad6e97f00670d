/* The words of log lines. Nothing is copied: a slice points into the line. */
#include "replay/log_slice.h"

struct log_slice log_slice_until(struct log_slice *slice, char stop)
{
    const char *end = memchr(slice->data, stop, slice->length);
    struct log_slice before = *slice;
    if (end == NULL) {
        slice->data += slice->length;
        slice->length = 0;
        return before;
    }
    before.length = (size_t)(end - slice->data);
    slice->data += before.length + 1;
    slice->length -= before.length + 1;
    return before;
}

bool log_slice_find(struct log_slice *slice, struct log_slice needle)
{
    const char *found = memmem(slice->data, slice->length, needle.data, needle.length);
    if (found == NULL)
        return false;
    slice->length -= (size_t)(found - slice->data) + needle.length;
    slice->data = found + needle.length;
    return true;
}

bool log_slice_number(struct log_slice *slice, uint32_t *out)
{
    uint64_t number = 0;
    size_t at = 0;
    while (at < slice->length && slice->data[at] >= '0' && slice->data[at] <= '9') {
        number = number * 10 + (uint64_t)(slice->data[at++] - '0');
        if (number > UINT32_MAX)
            return false;
    }
    if (at == 0)
        return false;
    *out = (uint32_t)number;
    slice->data += at;
    slice->length -= at;
    return true;
}

/* Where the bracket that closes is; the length when there is none. */
static size_t bracket(struct log_slice text)
{
    bool quoted = false;
    const char *plain = memchr(text.data, '>', text.length);
    if (plain == NULL || text.length == 0 || text.data[0] != '"')
        return plain == NULL ? text.length : (size_t)(plain - text.data);
    for (size_t at = 0; at < text.length; at++) {
        char c = text.data[at];
        if (c == '\\')
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '>' && !quoted)
            return at;
    }
    return (size_t)(plain - text.data); /* a quote that no other closes */
}

bool log_slice_address(struct log_slice *slice, struct log_slice *out)
{
    struct log_slice rest = *slice;
    size_t end;
    if (!log_slice_skip(&rest, LOG_SLICE("<")))
        return false;
    end = bracket(rest);
    if (end == rest.length)
        return false;
    *out = (struct log_slice){rest.data, end};
    *slice = (struct log_slice){rest.data + end + 1, rest.length - end - 1};
    return true;
}

bool log_slice_field(struct log_slice line, struct log_slice name, struct log_slice *out)
{
    struct log_slice rest = line;
    const char *end;
    if (!log_slice_find(&rest, name))
        return false;
    end = memmem(rest.data, rest.length, ", ", 2);
    *out = (struct log_slice){rest.data,
                              end == NULL ? rest.length : (size_t)(end - rest.data)};
    return true;
}

struct log_slice log_slice_client(struct log_slice text)
{
    const char *open = memrchr(text.data, '[', text.length);
    struct log_slice inner = {text.data, 0};
    if (open == NULL)
        return inner;
    inner.data = open + 1;
    inner.length = text.length - (size_t)(open + 1 - text.data);
    inner = log_slice_until(&inner, ']');
    (void)log_slice_skip(&inner, LOG_SLICE("IPv6:"));
    if (log_slice_is(inner, LOG_SLICE("unknown")))
        inner.length = 0;
    return inner;
}
