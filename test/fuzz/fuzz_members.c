/* Any member file: one address a line. */
#include "entries.h"
#include "lists/members.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return entries_fuzz(members_read, data, size);
}
