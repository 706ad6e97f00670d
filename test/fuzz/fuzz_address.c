/* Any address, pattern and brake: what was understood is understood again, as the same.
 */
#include <string.h>

#include "fuzz.h"
#include "policy/brake.h"
#include "policy/element.h"
#include "policy/mailbox.h"

static struct domains own;

static void expect_same(const struct address *address)
{
    struct address again;
    claim(address->length == strlen(address->text));
    claim(address->length < sizeof address->text && address->at <= address->length);
    claim(address->at == address->length || address->text[address->at] == '@');
    claim(address_parse(address->text, address->length, &again) == STATUS_OK);
    claim(again.at == address->at && strcmp(again.text, address->text) == 0);
}

static void parse_address(const char *raw, size_t size)
{
    struct address address;
    if (address_parse(raw, size, &address) != STATUS_OK)
        return;
    expect_same(&address);
    claim(!address_is_plain(raw, size) ||
          (address.length == size && memcmp(address.text, raw, size) == 0));
    (void)address_is_literal(&address);
    bool is_own = domains_have_address(&own, &address);
    struct address whole = address;
    if (address_remove_tag(&whole, "+-")) {
        claim(whole.length <= address.length + 1 &&
              domains_have_address(&own, &whole) == is_own);
        expect_same(&whole);
    }
    if (address_qualify(&address, "own.example") == STATUS_OK)
        expect_same(&address);
}

static void parse_element(const char *text)
{
    struct element element;
    struct element again;
    struct error error = {0};
    char shown[2 * ADDRESS_SIZE];
    if (element_parse(text, &own, &element, &error) != STATUS_OK)
        return;
    element_format(&element, shown, sizeof shown);
    /* Two '@' are taken for a missing comma, also where one stands in quotes. */
    if (strlen(shown) < sizeof shown - 1 && strchr(shown, '@') == strrchr(shown, '@')) {
        claim(element_parse(shown, &own, &again, &error) == STATUS_OK);
        claim(again.kind == element.kind && strcmp(again.text, element.text) == 0);
        claim(memcmp(&again.network, &element.network, sizeof again.network) == 0);
        element_clear(&again);
    }
    element_clear(&element);
}

static void parse_brake(const char *text)
{
    struct brake brake;
    struct brake again;
    struct error error = {0};
    if (brake_parse_key(text, &own, NULL, &brake, &error) != STATUS_OK)
        return;
    /* A '*' has to be typed in quotes, so that nobody takes it for a pattern. */
    if (strchr(brake.key, '*') == NULL) {
        claim(brake_parse_key(brake.key, &own, NULL, &again, &error) == STATUS_OK);
        claim(again.kind == brake.kind && strcmp(again.key, brake.key) == 0);
        brake_clear(&again);
    }
    brake_clear(&brake);
}

static void parse_mailbox(const char *text)
{
    struct address address;
    struct error error = {0};
    if (mailbox_parse(text, "own.example", &address, &error) == STATUS_OK)
        expect_same(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (domains_first(&own) == NULL)
        claim(domains_add(&own, "own.example", NULL) == STATUS_OK);
    parse_address((const char *)data, size);
    char *text = malloc(size + 1);
    claim(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    parse_element(text);
    parse_brake(text);
    parse_mailbox(text);
    free(text);
    return 0;
}
