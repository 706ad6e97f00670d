/* What the fuzzers of list sources share: a text is read into entries, whose keys and
 * members are as the directory wants them. */
#ifndef TEST_FUZZ_ENTRIES_H
#define TEST_FUZZ_ENTRIES_H

#include <string.h>

#include "base/problems.h"
#include "fuzz.h"
#include "lists/entries.h"
#include "lists/file.h"

typedef enum status read_source(struct file *file, const char *path,
                                struct entries *entries, struct problems *problems);

static inline void check_entry(const struct entries *entries, size_t i)
{
    const struct entry *entry = &entries->items[i];
    const char *key = entries_key(entries, i);
    struct member_list_reader reader = member_list_read(&entry->members);
    struct member member;
    struct address spelled;
    size_t count = 0;
    while (member_list_next(&reader, &member)) {
        claim(member.text[member.length] == '\0' && strlen(member.text) == member.length);
        claim(reader.line >= 0);
        count++;
    }
    claim(count == entry->members.count);
    claim(entry->kind != ENTRY_REDIRECT || count > 0); /* or the same one twice */
    claim(entries_find(entries, key) == entry);
    if (key[0] != '\0') {
        claim(entries_spell(key, strlen(key), &spelled) == STATUS_OK);
        claim(strcmp(spelled.text, key) == 0);
    }
}

static inline int entries_fuzz(read_source *read, const uint8_t *data, size_t size)
{
    struct file file = {.data = malloc(size + 1), .length = size};
    struct entries entries = {0};
    struct problems problems = {0};
    claim(file.data != NULL);
    memcpy(file.data, data, size);
    file.data[size] = '\0';
    if (file_check_text(&file, "fuzz", NULL) == STATUS_OK) {
        enum status status = read(&file, "fuzz", &entries, &problems);
        claim(status == STATUS_OK || status == STATUS_LIMIT);
        for (size_t i = 0; i < entries.count; i++)
            check_entry(&entries, i);
    }
    entries_clear(&entries);
    problems_clear(&problems);
    file_clear(&file);
    return 0;
}

#endif
