/* Any virtual alias table, virtual(5). */
#include "entries.h"
#include "lists/lookup_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return entries_fuzz(lookup_table_read_virtual, data, size);
}
