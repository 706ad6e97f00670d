/* Any To line: each address lies in it, behind the one before, and is one or is refused.
 */
#include <string.h>

#include "fuzz.h"
#include "policy/address.h"
#include "policy/addrlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct addrlist list = addrlist_of(text, size);
    const char *last = text;
    const char *raw;
    size_t length;
    while (addrlist_next(&list, &raw, &length)) {
        struct address address;
        claim(raw >= last && length > 0 && raw + length <= text + size);
        last = raw + length;
        if (address_parse(raw, length, &address) == STATUS_OK) {
            claim(address.length < sizeof address.text);
            claim(strlen(address.text) == address.length);
            claim(address.at <= address.length);
        }
    }
    claim(list.next == text + size);
    return 0;
}
