/* Any alias file, aliases(5); what an :include: names may be read. */
#include "entries.h"
#include "lists/aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return entries_fuzz(aliases_read, data, size);
}
