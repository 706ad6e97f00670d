/* Loading configurations: defaults, every check, and where each mistake is reported. */
#include "run.h"
#include "settings_fixture.h"

START_TEST(settings_default)
{
    load_right("");
    ck_assert_str_eq(settings.file, file);
    ck_assert_str_eq(settings.milter.socket,
                     "unix:/var/spool/postfix/mailbrake/milter.sock");
    ck_assert_uint_eq(settings.milter.socket_mode, 0660);
    ck_assert_str_eq(settings.control.socket, "/run/mailbrake/control.sock");
    ck_assert_str_eq(settings.control.group, "mailbrake");
    ck_assert_uint_eq(settings.control.roles[ROLE_LOOK].count, 0);
    ck_assert_str_eq(settings.control.metrics, "");
    ck_assert(!settings.control.metrics_public);
    ck_assert_int_eq(settings.mta.type, MTA_POSTFIX);
    ck_assert_str_eq(settings.mta.config_directory, "/etc/postfix");
    ck_assert_str_eq(settings.mta.helper, "/run/mailbrake/mta.sock");
    ck_assert_uint_eq(settings.console.host_count, 0);
    ck_assert_str_eq(settings.console.user_header, "X-Remote-User");
    ck_assert_str_eq(settings.console.proxy_user, "www-data");
    ck_assert_str_eq(settings.console.user, "mailbrake-console");
    ck_assert_int_eq(settings.quarantine.max_per_incident, 500);
    ck_assert_int_eq(settings.quarantine.max_messages, 5000);
    ck_assert_int_eq(settings.quarantine.min_free_bytes, 1073741824);
    ck_assert_int_eq(settings.quarantine.expire_ms, 604800000);
    ck_assert_int_eq(settings.mta.content, CONTENT_SUBJECT);
    ck_assert_uint_eq(settings.notify.to_count, 0);
    ck_assert_str_eq(settings.notify.command, "");
    ck_assert_int_eq(settings.notify.min_interval_ms, 900000);
    ck_assert(settings.notify.tell_sender);
    ck_assert_int_eq(settings.privacy.addresses, PRIVACY_CLEAR);
    ck_assert_str_eq(settings.privacy.key_file, "");
    ck_assert_int_eq(settings.privacy.retention_ms, INT64_C(2592000000));
    ck_assert_uint_eq(settings.list_count, 0);
}
END_TEST

START_TEST(settings_default_store)
{
    load_right("");
    ck_assert_int_eq(settings.store.type, STORE_TYPE_REDIS);
    ck_assert_str_eq(settings.store.host, "127.0.0.1");
    ck_assert_int_eq(settings.store.port, 6379);
    ck_assert_ptr_null(settings.store.path);
    ck_assert_str_eq(settings.store.username, "");
    ck_assert_str_eq(settings.store.password_file, "");
    ck_assert_int_eq(settings.store.database, 0);
    ck_assert_str_eq(settings.store.prefix, "mailbrake");
    ck_assert_int_eq(settings.store.timeout_ms, 250);
    ck_assert_int_eq(settings.store.connections, 8);
    ck_assert_str_eq(settings.store.state_file, "");
    ck_assert_int_eq(settings.store.on_failure, ON_FAILURE_LOCAL);
    ck_assert_int_eq(settings.store.nodes, 1);
}
END_TEST

START_TEST(settings_default_policy)
{
    load_right("");
    ck_assert_uint_eq(settings.policy.domains.count, 0);
    ck_assert_str_eq(settings.policy.domains.delimiters, "+");
    ck_assert_uint_eq(settings.policy.trusted.count, 1);
    ck_assert_int_eq(settings.policy.trusted.items[0].kind, ELEMENT_CLIENT_LOCAL);
    ck_assert_uint_eq(settings.policy.relays.count, 0);
    ck_assert_uint_eq(settings.policy.group_count, 0);
    ck_assert_uint_eq(settings.policy.rule_count, 0);
    ck_assert(!settings.policy.monitor);
    ck_assert_int_eq(settings.policy.lists_unknown, ACTION_DEFER);
}
END_TEST

START_TEST(settings_all_set)
{
    load_right(
        "trusted = [];\nrelays = [\"client:10.0.0.2\"];\nmode = \"monitor\";\n"
        "domains = [\"A.example\", \"b.example\"];\nrecipient_delimiter = \"+-\";\n"
        "login_domains = [\"A=b.example\"];\nlogin_master_separator = \"*\";\n"
        "lists_unknown = \"quarantine\";\n"
        "milter = { socket = \"inet:8891@127.0.0.1\"; socket_mode = \"600\"; };\n"
        "mta = { type = \"sendmail\"; };\n"
        "quarantine = { min_free = \"512M\"; expire = \"2w\"; };\n"
        "notify = { to = [ \"Root@A.example\" ]; tell_sender = false; };\n"
        "privacy = { addresses = \"hashed\"; key_file = \"key\"; };\n"
        "store = { type = \"memory\"; server = \"unix:redis.sock\";\n"
        "  state_file = \"/tmp/state\"; on_failure = \"tempfail\"; nodes = 3; };\n");
    char path[PATH_MAX + 40];
    ck_assert_uint_eq(settings.policy.trusted.count, 0);
    ck_assert_uint_eq(settings.policy.relays.count, 1);
    ck_assert(settings.policy.monitor);
    ck_assert_str_eq(settings.policy.domains.names[0], "a.example");
    ck_assert_str_eq(settings.policy.domains.delimiters, "+-");
    ck_assert_uint_eq(settings.policy.logins.domain_count, 1);
    ck_assert_str_eq(settings.policy.logins.domains[0].name, "a");
    ck_assert_str_eq(settings.policy.logins.domains[0].domain, "b.example");
    ck_assert_str_eq(settings.policy.logins.master_separator, "*");
    ck_assert_int_eq(settings.policy.lists_unknown, ACTION_QUARANTINE);
    ck_assert_str_eq(settings.milter.socket, "inet:8891@127.0.0.1");
    ck_assert_uint_eq(settings.milter.socket_mode, 0600);
    ck_assert_int_eq(settings.mta.type, MTA_SENDMAIL);
    ck_assert_int_eq(settings.quarantine.min_free_bytes, 536870912);
    ck_assert_int_eq(settings.quarantine.expire_ms, 1209600000);
    ck_assert_uint_eq(settings.notify.to_count, 1);
    ck_assert_str_eq(settings.notify.to[0], "root@a.example");
    ck_assert(!settings.notify.tell_sender);
    ck_assert_int_eq(settings.privacy.addresses, PRIVACY_HASHED);
    snprintf(path, sizeof path, "%s/key", folder);
    ck_assert_str_eq(settings.privacy.key_file, path);
    ck_assert_int_eq(settings.store.type, STORE_TYPE_MEMORY);
    snprintf(path, sizeof path, "%s/redis.sock", folder);
    ck_assert_str_eq(settings.store.path, path);
    ck_assert_ptr_null(settings.store.host);
    ck_assert_int_eq(settings.store.on_failure, ON_FAILURE_TEMPFAIL);
    ck_assert_int_eq(settings.store.nodes, 3);
}
END_TEST

START_TEST(settings_lists)
{
    load_right("lists = (\n"
               "  { address = \"All\"; file = \"lists/all.txt\"; max_age = \"1d\"; },\n"
               "  { aliases = \"/etc/aliases\"; domains = [\"c.example\"]; },\n"
               "  { virtual = \"virtual\"; refresh = \"1s\"; }\n"
               ");\ndomains = [\"a.example\"];\n");
    char path[PATH_MAX + 40];
    ck_assert_uint_eq(settings.list_count, 3);
    const struct list_source *lists = settings.lists;
    ck_assert_int_eq(lists[0].kind, LIST_FILE);
    ck_assert_str_eq(lists[0].address, "all@a.example");
    snprintf(path, sizeof path, "%s/lists/all.txt", folder);
    ck_assert_str_eq(lists[0].path, path);
    ck_assert_int_eq(lists[0].max_age_ms, 86400000);
    ck_assert_int_eq(lists[0].refresh_ms, 300000);
    ck_assert_int_eq(lists[0].line, 2);
    ck_assert_str_eq(lists[0].file, file);
    ck_assert_int_eq(lists[1].kind, LIST_ALIASES);
    ck_assert_str_eq(lists[1].path, "/etc/aliases");
    ck_assert_str_eq(lists[1].domains.names[0], "c.example");
    ck_assert_int_eq(lists[1].max_age_ms, 604800000);
    ck_assert_int_eq(lists[2].kind, LIST_VIRTUAL);
    ck_assert_int_eq(lists[2].refresh_ms, 1000);
}
END_TEST

/* test/vectors/settings.txt, read once. */
static char *vectors;

static const char *next_vector(const char *from)
{
    const char *found = strstr(from, "\n=== ");
    return found == NULL ? NULL : found + 5;
}

static int count_vectors(void)
{
    int count = 0;
    for (const char *p = next_vector(vectors); p != NULL; p = next_vector(p))
        count++;
    return count;
}

static void read_vectors(void)
{
    enum { SIZE = 200000 };
    FILE *stream = fopen(SOURCE_DIR "/test/vectors/settings.txt", "r");
    vectors = calloc(1, SIZE);
    if (stream == NULL || vectors == NULL || fread(vectors, 1, SIZE - 1, stream) == 0)
        abort();
    (void)fclose(stream);
}

START_TEST(settings_mistake)
{
    const char *vector = next_vector(vectors);
    for (int i = 0; i < _i; i++)
        vector = next_vector(vector);
    const char *text = strchr(vector, '\n');
    const char *next = next_vector(text);
    size_t length = next == NULL ? strlen(text) : (size_t)(next - 5 - text);
    char *begins = strndup(vector, (size_t)(text - vector));
    char *whole = strndup(text + 1, length);
    expect(whole, begins);
    free(begins);
    free(whole);
}
END_TEST

/* Debian 13's libconfig takes a comma after a list's last element, Debian 12's doesn't.
 */
START_TEST(settings_a_trailing_comma)
{
    static const char text[] =
        "rules = ( { name = \"a\"; action = \"defer\"; },\n );\nmode = \"monitor\";";
    if (load(text) == STATUS_OK)
        ck_assert_uint_eq(settings.policy.rule_count, 1);
    else
        expect(text, "m.conf:2: syntax error");
}
END_TEST

START_TEST(settings_of_logins_are_unambiguous)
{
    static const int lines[] = {2, 3, 4, 5};
    ck_assert_int_eq(load("domains = [ \"a.example\", \"b.example\" ];\n"
                          "login_domains = [ \"STAFF\",\n"
                          "  \"PUPILS=else.example\",\n"
                          "  \"A=a.example\", \"a=b.example\" ];\n"
                          "login_master_separator = \"x\";\n"),
                     STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(problems.items[i].line, lines[i]);
}
END_TEST

START_TEST(settings_tells_all_at_once)
{
    static const int lines[] = {1, 2, 3, 5, 6, 7, 9, 10, 11, 12};
    ck_assert_int_eq(
        load("mode = \"off\";\n"
             "domains = [ \"a..b\" ];\n"
             "unknown = 1;\n"
             "store = {\n"
             "  timeout_ms = 5;\n"
             "  connections = 5000000000;\n"
             "  server = \"here\"; };\n"
             "groups = {\n"
             "  g = [ \"logn:x\" ]; };\n"
             "rules = ( { name = \"a\"; from = [ \"none\" ];\n action = 1; },\n"
             "  { name = \"a\"; from = [ \"g\" ]; action = \"defer\"; } );\n"),
        STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 10);
    ck_assert_uint_eq(problems.count, 10);
    for (size_t i = 0; i < 10; i++) {
        ck_assert_int_eq(problems.items[i].line, lines[i]);
        ck_assert_str_eq(problems.items[i].file, file);
    }
}
END_TEST

/* Numbers too large, or what looks like one, where they are none. */
START_TEST(settings_numbers_in_texts_are_no_numbers)
{
    load_right("# 5000000000\n// 5000000000\n/* 5000000000\n 5000000000 */\n"
               "notify = { command = \"a \\\" 5000000000\" /* \" */ \" 5000000000\"; };\n"
               "groups = { a5000000000 = [ \"login:a\" ]; };\n"
               "store = { nodes = 0x10; database = 2L; timeout_ms = 100; };");
    ck_assert_str_eq(settings.notify.command, "a \" 5000000000 5000000000");
    ck_assert_int_eq(settings.store.nodes, 16);
    ck_assert_int_eq(settings.store.database, 2);
}
END_TEST

START_TEST(settings_control_is_found_in_spite_of_errors)
{
    static const struct {
        const char *text;
        bool found;
    } faulty[] = {
        {"control = { socket = \"/c\"; };\ncolour = 7;\n", true},
        {"rules = ( { name = \"a\"; } );\ncontrol = { socket = \"/c\"; };\n", true},
        {"control = { socket = \"/c\"; };\nrules = ( { name = ", true},
        {"control = { socket = \"/c\"; group = [ \"x\" ", true},
        {"rules = ( { name = ;\ncontrol = { socket = \"/c\"; };\n", false},
        {"colour = 7;\n", false},
        {"control = { socket = 7; };\n", false},
        {"control = 7;\n", false},
        {"]", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        write_text("m.conf", faulty[i].text);
        char *socket = settings_find_control(file);
        ck_assert_msg((socket != NULL) == faulty[i].found, "%s", faulty[i].text);
        if (socket != NULL)
            ck_assert_str_eq(socket, "/c");
        free(socket);
    }
    ck_assert_ptr_null(settings_find_control("/no/such/file"));
}
END_TEST

START_TEST(settings_identity_of_ldap)
{
    char kept[200];
    load_right("domains = [ \"own\" ]; lists = ("
               "{ ldap = [ \"ldap://a\", \"ldap://b\" ]; base = \"dc=x\"; },"
               "{ ldap = [ \"ldap://c\" ]; base = \"dc=x\"; },"
               "{ ldap = [ \"ldap://a\" ]; base = \"dc=x\"; filter = \"(mail=*)\"; } );");
    ck_assert_str_ne(settings.lists[0].identity, settings.lists[1].identity);
    ck_assert_str_ne(settings.lists[0].identity, settings.lists[2].identity);
    (void)snprintf(kept, sizeof kept, "%s", settings.lists[0].identity);
    load_right("domains = [ \"own\" ]; lists = ("
               "{ ldap = [ \"ldaps://b\", \"ldap://a\" ]; base = \"dc=x\";"
               "  people_base = \"ou=p,dc=x\"; } );");
    ck_assert_str_eq(settings.lists[0].identity, kept);
}
END_TEST

START_TEST(settings_servers)
{
    load_right("store = { server = \"tcp:[::1]:6380\"; };\n"
               "milter = { socket = \"unix:m.sock\"; };");
    char path[PATH_MAX + 40];
    snprintf(path, sizeof path, "unix:%s/m.sock", folder);
    ck_assert_str_eq(settings.store.host, "::1");
    ck_assert_int_eq(settings.store.port, 6380);
    ck_assert_str_eq(settings.milter.socket, path);
    load_right("milter = { socket = \"inet6:8891@[::1]\"; };");
    ck_assert_str_eq(settings.milter.socket, "inet6:8891@[::1]");
}
END_TEST

START_TEST(settings_servers_of_a_store_that_moves)
{
    char path[PATH_MAX + 40];
    load_right("store = { sentinels = [ \"tcp:[::1]:26379\", \"unix:s.sock\" ];\n"
               "  master = \"mail\"; };");
    snprintf(path, sizeof path, "unix:%s/s.sock", folder);
    ck_assert_uint_eq(settings.store.sentinels.count, 2);
    ck_assert_str_eq(settings.store.sentinels.items[0], "tcp:[::1]:26379");
    ck_assert_str_eq(settings.store.sentinels.items[1], path);
    ck_assert_str_eq(settings.store.master, "mail");
#if MAILBRAKE_REDIS_TLS
    load_right("store = { server = \"tls:[::1]:6380\"; ca_file = \"/ca\"; };");
    ck_assert(settings.store.tls == 1 && settings.store.port == 6380);
    ck_assert_str_eq(settings.store.host, "::1");
    ck_assert_str_eq(settings.store.ca_file, "/ca");
    load_right("store = { sentinels = [ \"tls:a:1\" ]; master = \"mail\"; };");
    ck_assert_str_eq(settings.store.sentinels.items[0], "tls:a:1");
#endif
    load_right("store = { server = [ \"tcp:a:7001\", \"tcp:b:7002\" ]; };");
    ck_assert_uint_eq(settings.store.seeds.count, 2);
    ck_assert_str_eq(settings.store.seeds.items[1], "tcp:b:7002");
}
END_TEST

static const struct {
    const char *text, *says;
    int line;
} moving_mistakes[] = {
    {"store = {\n sentinels = [ \"tcp:a:1\" ]; };", "store.master must say", 2},
    {"store = {\n sentinels = [ \"tcp:a:1\" ];\n master = \"\"; };",
     "store.master must say", 2},
    {"store = {\n master = \"mail\"; };", "is asked of store.sentinels", 2},
    {"store = {\n sentinels = [ ];\n master = \"mail\"; };", "name them", 3},
    {"store = { server = [ \"tcp:a:1\" ];\n sentinels = [ \"tcp:a:1\" ];\n"
     " master = \"m\"; };",
     "store.server is a Cluster", 2},
    {"store = { server = [ \"tcp:a:1\" ];\n database = 2; };", "no database but 0", 2},
    {"store = { server = [\n \"tcp:a:1\",\n \"b:2\" ]; };", "\"b:2\" is not", 3},
    {"store = {\n server = [ ]; };", "names no server", 2},
#if !MAILBRAKE_REDIS_TLS
    {"store = {\n server = \"tls:a:1\"; };", "stunnel", 2},
    {"store = { sentinels = [\n \"tls:a:1\" ];\n master = \"m\"; };", "unix:PATH", 2},
#else
    {"store = { server = [ \"tls:a:1\", \"unix:/r\",\n \"tcp:b:2\" ]; };", "encrypted",
     2},
    {"store = { sentinels = [\n \"tcp:a:1\",\n \"tls:b:2\" ]; master = \"m\"; };",
     "encrypted", 3},
#endif
    {"store = {\n server = \"tls:a\"; };", MAILBRAKE_REDIS_TLS ? "tls:HOST:PORT" : "TLS",
     2},
    {"store = {\n cert_file = \"/c\"; };", "set store.cert_key_file", 2},
    {"store = {\n cert_key_file = \"/k\"; };", "set store.cert_file", 2},
};

START_TEST(settings_servers_that_do_not_fit)
{
    ck_assert_int_eq(load(moving_mistakes[_i].text), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_int_eq(problems.items[0].line, moving_mistakes[_i].line);
    ck_assert_msg(strstr(problems.items[0].text, moving_mistakes[_i].says) != NULL, "%s",
                  problems.items[0].text);
}
END_TEST

START_TEST(settings_socket_path_too_long)
{
    char text[400];
    char name[200];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "control = { socket = \"/%.107s\"; };", name);
    expect(text, "m.conf:1: control.socket: is longer than 107 bytes");
    snprintf(text, sizeof text, "milter = { socket = \"unix:%.100s\"; };", name);
    expect(text, "m.conf:1: milter.socket: the path /");
    snprintf(text, sizeof text, "control = { socket = \"/%.106s\"; };", name);
    load_right(text);
}
END_TEST

START_TEST(settings_roles)
{
    load_right(
        "control = { roles = { decide = [ \"post\", \"root\" ]; brake = [ ]; }; };");
    ck_assert_uint_eq(settings.control.roles[ROLE_LOOK].count, 0);
    ck_assert_uint_eq(settings.control.roles[ROLE_BRAKE].count, 0);
    ck_assert_uint_eq(settings.control.roles[ROLE_DECIDE].count, 2);
    ck_assert_str_eq(settings.control.roles[ROLE_DECIDE].items[1], "root");
    ck_assert(has_warning("control.roles: there is no such group: post"));
}
END_TEST

START_TEST(settings_metrics)
{
    load_right("control = { metrics = \"[::1]:9125\"; };");
    ck_assert_str_eq(settings.control.metrics, "[::1]:9125");
    settings_clear(&settings);
    load_right("control = { metrics = \"0.0.0.0:9125\"; metrics_public = true; };");
    ck_assert_str_eq(settings.control.metrics, "0.0.0.0:9125");
}
END_TEST

START_TEST(settings_warn)
{
    load_right("control = { group = \"no-such-group-here\"; };\n"
               "store = { state_file = \"none/state\"; };\n"
               "mta = { helper = \"none/mta.sock\"; };");
    ck_assert(has_warning("privacy.key_file"));
    ck_assert(has_warning("control.group: there is no such group: no-such-group-here"));
    ck_assert(has_warning("store.state_file: the folder of "));
    ck_assert(has_warning("mta.helper: the folder of "));
    ck_assert_uint_eq(problems.warnings, 4);
}
END_TEST

START_TEST(settings_do_not_warn)
{
    load_right("control = { group = \"root\"; };\nprivacy = { key_file = \"key\"; };\n"
               "store = { state_file = \"state\"; };\nmta = { helper = \"mta.sock\"; };");
    ck_assert_uint_eq(problems.warnings, 0);
}
END_TEST

START_TEST(settings_option_names_are_distinct)
{
    const char *const *names = settings_option_names();
    size_t count = 0;
    for (; names[count] != NULL; count++) {
        for (size_t i = 0; i < count; i++)
            ck_assert_str_ne(names[i], names[count]);
    }
    ck_assert_uint_ge(count, 60);
}
END_TEST

static TCase *mistake_tests(void)
{
    TCase *tests = tcase_create("mistakes");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, settings_mistake, 0, count_vectors());
    tcase_add_test(tests, settings_a_trailing_comma);
    tcase_add_test(tests, settings_tells_all_at_once);
    tcase_add_test(tests, settings_of_logins_are_unambiguous);
    tcase_add_test(tests, settings_control_is_found_in_spite_of_errors);
    tcase_add_test(tests, settings_socket_path_too_long);
    return tests;
}

int main(void)
{
    read_vectors();
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("settings");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, settings_default);
    tcase_add_test(tests, settings_default_store);
    tcase_add_test(tests, settings_default_policy);
    tcase_add_test(tests, settings_all_set);
    tcase_add_test(tests, settings_lists);
    tcase_add_test(tests, settings_numbers_in_texts_are_no_numbers);
    tcase_add_test(tests, settings_identity_of_ldap);
    tcase_add_test(tests, settings_servers);
    tcase_add_test(tests, settings_servers_of_a_store_that_moves);
    tcase_add_loop_test(tests, settings_servers_that_do_not_fit, 0,
                        sizeof moving_mistakes / sizeof *moving_mistakes);
    tcase_add_test(tests, settings_roles);
    tcase_add_test(tests, settings_metrics);
    tcase_add_test(tests, settings_warn);
    tcase_add_test(tests, settings_do_not_warn);
    tcase_add_test(tests, settings_option_names_are_distinct);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, mistake_tests());
    int result = run_suite(suite);
    free(vectors);
    return result;
}
