/* Any table of members, with the column "email". */
#include "entries.h"
#include "lists/csv.h"

static enum status read_table(struct file *file, const char *path,
                              struct entries *entries, struct problems *problems)
{
    struct entry *entry;
    struct error error;
    enum status status = entries_open(entries, "", 0, &entry);
    if (status == STATUS_OK)
        status = csv_read(file, path, "email", &entry->members, problems, &error);
    if (status == STATUS_INVALID) {
        entries_clear(entries);
        return STATUS_OK;
    }
    return status == STATUS_OK ? entries_settle(entries, entry) : status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return entries_fuzz(read_table, data, size);
}
