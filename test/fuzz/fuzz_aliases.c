/* Any alias file, aliases(5); what an :include: names may be read. */
#include "entries.h"
#include "lists/lookup_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return entries_fuzz(lookup_table_read_aliases, data, size);
}
