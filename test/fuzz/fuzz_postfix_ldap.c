/* Any file of ldap_table(5): settings that can be asked with, or the reason why not. */
#include <string.h>

#include "fuzz.h"
#include "lists/postfix_ldap.h"

static size_t count_of(const char *text, char wanted)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == wanted;
    return count;
}

static void check_settings(const struct ldap_settings *settings)
{
    claim(settings->servers.count > 0);
    for (size_t i = 0; i < settings->servers.count; i++)
        claim(strstr(settings->servers.items[i], "://") != NULL);
    claim(settings->base != NULL && strchr(settings->base, '%') == NULL);
    claim(settings->filter != NULL && count_of(settings->filter, '*') > 0);
    claim(settings->address_attributes.count > 0);
    claim(settings->member_attributes.count > 0);
    claim(settings->member_address_attributes.count > 0);
    for (size_t i = 0; i < settings->address_attributes.count; i++)
        claim(strpbrk(settings->address_attributes.items[i], "()=%*") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file file = {.data = malloc(size + 1), .length = size};
    struct ldap_settings settings = {0};
    struct error error = {0};
    claim(file.data != NULL);
    memcpy(file.data, data, size);
    file.data[size] = '\0';
    if (file_check_text(&file, "fuzz", NULL) == STATUS_OK) {
        enum status status = postfix_ldap_parse(&file, "fuzz", &settings, &error);
        claim(status == STATUS_OK || status == STATUS_INVALID);
        claim(status == STATUS_OK || error.text[0] != '\0');
        if (status == STATUS_OK)
            check_settings(&settings);
    }
    ldap_settings_clear(&settings);
    file_clear(&file);
    return 0;
}
