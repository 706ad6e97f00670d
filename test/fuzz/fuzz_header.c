/* Any header: fields are separated by NUL, the first byte of each says which it is. */
#include <string.h>

#include "fuzz.h"
#include "policy/header.h"
#include "policy/thread.h"

enum { FIELDS_MAX = 64 };

static const struct domains *own_domains(void)
{
    static struct domains own;
    if (domains_first(&own) == NULL) {
        claim(domains_add(&own, "own", NULL) == STATUS_OK);
        claim(domains_set_delimiters(&own, "+-") == STATUS_OK);
    }
    return &own;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "To",          "Cc",      "References", "Message-ID",     "Precedence",
        "In-Reply-To", "Subject", "List-Id",    "Auto-Submitted", "Thread-Index"};
    struct header fields[FIELDS_MAX];
    struct header_facts facts;
    size_t count = 0;
    char *text = malloc(size + 1);
    claim(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *at = text; at < text + size && count < FIELDS_MAX; at += strlen(at) + 1) {
        const char *name = names[(unsigned char)*at % (sizeof names / sizeof names[0])];
        fields[count++] =
            (struct header){.name = name, .value = *at == '\0' ? at : at + 1};
    }
    claim(header_gather(fields, count, own_domains(), &facts) == STATUS_OK);
    claim(facts.visible_external <= facts.visible && facts.visible <= size);
    const char *thread = thread_name(&facts.links);
    claim(strlen(thread) < THREAD_SIZE);
    for (const char *c = thread; *c != '\0'; c++)
        claim(*c > ' ' && *c <= '~');
    free(text);
    return 0;
}
