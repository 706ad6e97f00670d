/* Any virtual alias table, virtual(5). */
#include "entries.h"
#include "lists/virtual.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return entries_fuzz(virtual_read, data, size);
}
