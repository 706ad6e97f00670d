/* Whose bucket a client's address is. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip_address.h"
#include "base/network.h"
#include "run.h"

static const struct {
    const char *address;
    const char *key;
} keys[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"::FFFF:c000:201", "192.0.2.1"},
    {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
    {"2001:db8:1:2::", "2001:db8:1:2::/64"},
    {"2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"},
    {"2001:db8:1:3::1", "2001:db8:1:3::/64"},
    {"2001:db8::", "2001:db8:0:0::/64"},
    {"fe80::1", "fe80:0:0:0::/64"},
    {"::1", "0:0:0:0::/64"},
    {"::", "0:0:0:0::/64"},
    {"::fffe:192.0.2.1", "0:0:0:0::/64"},
    {"::1:ffff:192.0.2.1", "0:0:0:0::/64"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64"},
};

START_TEST(network_client_key_groups_ipv6)
{
    uint8_t address[16];
    char key[NETWORK_CLIENT_KEY_SIZE];
    memset(key, 'x', sizeof key);
    ck_assert(ip_address_parse(keys[_i].address, address));
    network_client_key(address, key);
    ck_assert_str_eq(key, keys[_i].key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *cases = tcase_create("network");
    tcase_add_loop_test(cases, network_client_key_groups_ipv6, 0,
                        (int)(sizeof keys / sizeof keys[0]));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
