/* Mailman's answers, one a line, in the order in which it is asked. */
#include "entries.h"
#include "lists/mailman.h"

struct script {
    const char *next, *end;
};

static enum status ask(void *context, const char *path, json_t **out, struct error *error)
{
    struct script *script = context;
    claim(path[0] == '/');
    if (script->next == script->end)
        return STATUS_UNAVAILABLE;
    const char *line = script->next;
    const char *newline = memchr(line, '\n', (size_t)(script->end - line));
    const char *end = newline == NULL ? script->end : newline;
    script->next = newline == NULL ? end : newline + 1;
    *out = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
    return *out != NULL ? STATUS_OK : error_set(error, STATUS_INVALID, "400");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {.next = (const char *)data, .end = (const char *)data + size};
    const struct mailman_server server = {.ask = ask, .context = &script};
    struct entries entries = {0};
    struct problems problems = {0};
    struct mailman_counts counts;
    struct error error = {0};
    enum status status = mailman_read(&server, &entries, &problems, &counts, &error);
    for (size_t i = 0; status == STATUS_OK && i < entries.count; i++)
        check_entry(&entries, i);
    entries_clear(&entries);
    problems_clear(&problems);
    return 0;
}
