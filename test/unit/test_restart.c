/* Each option either takes effect on reload, or is told to wait for a restart. */
#include "run.h"
#include "settings_fixture.h"

#define MANUAL SOURCE_DIR "/doc/mailbrake.conf.5"

/* Of each option a value that is not the default. Options of lists and rules are not
 * here: those are read from the current snapshot, as a whole. */
static const struct change {
    const char *name, *text;
} changes[] = {
    {"domains", "domains = [ \"other.example\" ];"},
    {"recipient_delimiter", "recipient_delimiter = \"-\";"},
    {"trusted", "trusted = [ ];"},
    {"relays", "relays = [ \"client:10.0.0.2\" ];"},
    {"login_domains",
     "domains = [ \"a.example\" ];\nlogin_domains = [ \"AD=a.example\" ];"},
    {"login_master_separator", "login_master_separator = \"*\";"},
    {"mode", "mode = \"monitor\";"},
    {"lists_unknown", "lists_unknown = \"reject\";"},
    {"lists_grown", "lists_grown = \"reject\";"},
    {"max_growth", "max_growth = 3;"},
    {"growth_floor", "growth_floor = 7;"},
    {"milter.socket", "milter = { socket = \"inet:8891@127.0.0.1\"; };"},
    {"milter.socket_mode", "milter = { socket_mode = \"0600\"; };"},
    {"control.socket", "control = { socket = \"/run/other.sock\"; };"},
    {"control.group", "control = { group = \"staff\"; };"},
    {"control.roles.look", "control = { roles = { look = [ \"helpdesk\" ]; }; };"},
    {"control.roles.decide", "control = { roles = { decide = [ \"post\" ]; }; };"},
    {"control.roles.brake", "control = { roles = { brake = [ \"night\" ]; }; };"},
    {"control.roles.permit", "control = { roles = { permit = [ \"press\" ]; }; };"},
    {"control.metrics", "control = { metrics = \"127.0.0.1:9125\"; };"},
    {"control.metrics_public", "control = { metrics_public = true; };"},
    {"relay", "relay = \"other\";"},
    {"mta.type", "mta = { type = \"sendmail\"; };"},
    {"mta.config_directory", "mta = { config_directory = \"/etc/other\"; };"},
    {"mta.helper", "mta = { helper = \"/run/other.sock\"; };"},
    {"console.hosts", "console = { hosts = [ \"mail.a.example\" ]; };"},
    {"console.user_header", "console = { user_header = \"X-User\"; };"},
    {"console.proxy_user", "console = { proxy_user = \"nginx\"; };"},
    {"console.user", "console = { user = \"web\"; };"},
    {"quarantine.max_per_incident", "quarantine = { max_per_incident = 7; };"},
    {"quarantine.max_messages", "quarantine = { max_messages = 7; };"},
    {"quarantine.min_free", "quarantine = { min_free = \"2G\"; };"},
    {"quarantine.content", "quarantine = { content = \"none\"; };"},
    {"confirm.address",
     "domains = [ \"a.example\" ];\nconfirm = { address = \"c@a.example\"; };"},
    {"confirm.for", "confirm = { for = \"1h\"; };"},
    {"confirm.max_reach", "confirm = { max_reach = 200; };"},
    {"quarantine.approve_over", "quarantine = { approve_over = 200; };"},
    {"quarantine.expire", "quarantine = { expire = \"3d\"; };"},
    {"notify.to", "notify = { to = [ \"a@b.example\" ]; };"},
    {"notify.command", "notify = { command = \"/bin/true\"; };"},
    {"notify.min_interval", "notify = { min_interval = \"1m\"; };"},
    {"notify.report", "notify = { report = \"weekly\"; };"},
    {"notify.tell_sender", "notify = { tell_sender = false; };"},
    {"privacy.addresses", "privacy = { addresses = \"hashed\"; };"},
    {"privacy.key_file", "privacy = { key_file = \"/etc/other\"; };"},
    {"privacy.retention", "privacy = { retention = \"3d\"; };"},
    {"store.type", "store = { type = \"memory\"; };"},
    {"store.server", "store = { server = \"unix:/run/redis.sock\"; };"},
    {"store.server", "store = { server = \"tcp:127.0.0.1:6380\"; };"},
    {"store.server", "store = { server = [ \"tcp:127.0.0.1:6379\" ]; };"},
#if MAILBRAKE_REDIS_TLS
    {"store.server", "store = { server = \"tls:127.0.0.1:6379\"; };"},
#endif
    {"store.ca_file", "store = { ca_file = \"/etc/other\"; };"},
    {"store.cert_file",
     "store = { cert_file = \"/etc/other\"; cert_key_file = \"/etc/key\"; };"},
    {"store.cert_key_file",
     "store = { cert_file = \"/etc/cert\"; cert_key_file = \"/etc/other\"; };"},
    {"store.sentinels", "store = { sentinels = [ \"tcp:b:1\" ]; master = \"m\"; };"},
    {"store.master", "store = { sentinels = [ \"tcp:a:1\" ]; master = \"n\"; };"},
    {"store.sentinel_password_file",
     "store = { sentinel_password_file = \"/etc/other\"; };"},
    {"store.username", "store = { username = \"other\"; };"},
    {"store.password_file", "store = { password_file = \"/etc/other\"; };"},
    {"store.database", "store = { database = 3; };"},
    {"store.prefix", "store = { prefix = \"other\"; };"},
    {"store.timeout_ms", "store = { timeout_ms = 99; };"},
    {"store.connections", "store = { connections = 3; };"},
    {"store.state_file", "store = { state_file = \"/var/other\"; };"},
    {"store.on_failure", "store = { on_failure = \"tempfail\"; };"},
    {"store.nodes", "store = { nodes = 3; };"},
};

enum { CHANGE_COUNT = sizeof changes / sizeof changes[0] };

/* What runs before the change, where all defaults won't do. */
static const char *running_text(const char *name)
{
    bool asked =
        strcmp(name, "store.sentinels") == 0 || strcmp(name, "store.master") == 0;
    bool certified = strncmp(name, "store.cert_", 11) == 0;
    return asked ? "store = { sentinels = [ \"tcp:a:1\" ]; master = \"m\"; };"
           : certified
               ? "store = { cert_file = \"/etc/cert\"; cert_key_file = \"/etc/key\"; };"
               : "";
}

static void load_other(const char *text, struct settings *out)
{
    struct problems found = {0};
    write_text("m.conf", text);
    ck_assert_int_eq(settings_load(file, out, &found), STATUS_OK);
    problems_clear(&found);
}

START_TEST(restart_is_told_and_the_running_value_kept)
{
    struct settings fresh;
    struct settings again;
    const char *name = changes[_i].name;
    const char *from = running_text(name);
    bool restarts = settings_option_restarts(name);
    load_right(from);
    load_other(changes[_i].text, &fresh);
    ck_assert_int_eq(settings_keep(&fresh, &settings), STATUS_OK);
    ck_assert_uint_eq(fresh.restart_count, restarts ? 1 : 0);
    if (restarts)
        ck_assert_str_eq(fresh.restart[0], name);
    /* The next reload finds the same file, and the same that waits. */
    load_other(changes[_i].text, &again);
    ck_assert_int_eq(settings_keep(&again, &fresh), STATUS_OK);
    ck_assert_uint_eq(again.restart_count, fresh.restart_count);
    /* Written back, nothing waits: what runs was never changed. */
    settings_clear(&again);
    load_other(from, &again);
    ck_assert_int_eq(settings_keep(&again, &fresh), STATUS_OK);
    ck_assert_uint_eq(again.restart_count, 0);
    settings_clear(&again);
    settings_clear(&fresh);
}
END_TEST

START_TEST(restart_names_all_that_waits)
{
    struct settings fresh;
    load_right("");
    load_other("control = { socket = \"/run/a\"; };\nmode = \"monitor\";\n"
               "store = { type = \"memory\"; state_file = \"/var/a\"; };",
               &fresh);
    ck_assert_int_eq(settings_keep(&fresh, &settings), STATUS_OK);
    ck_assert_uint_eq(fresh.restart_count, 3);
    ck_assert_str_eq(fresh.control.socket, "/run/mailbrake/control.sock");
    ck_assert_str_eq(fresh.store.state_file, "");
    ck_assert_int_eq(fresh.store.type, STORE_TYPE_REDIS);
    ck_assert(fresh.policy.monitor);
    settings_clear(&fresh);
}
END_TEST

static bool is_changed(const char *name)
{
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        if (strcmp(changes[i].name, name) == 0)
            return true;
    }
    return false;
}

/* A section, or read as part of lists, groups or rules. */
static bool is_whole(const char *name)
{
    static const char *const sections[] = {
        "milter", "control", "mta",    "quarantine", "notify",  "privacy",      "store",
        "lists",  "confirm", "groups", "rules",      "console", "control.roles"};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (strcmp(sections[i], name) == 0)
            return true;
    }
    return strncmp(name, "rules.", 6) == 0 || strncmp(name, "lists.", 6) == 0;
}

START_TEST(restart_is_decided_for_every_option)
{
    size_t count = 0;
    for (const char *const *name = settings_option_names(); *name != NULL; name++) {
        count += settings_option_restarts(*name);
        ck_assert_msg(is_changed(*name) || is_whole(*name),
                      "%s: does a reload change it? Set .restart in conf/options.c if "
                      "not, and add it here",
                      *name);
    }
    ck_assert_uint_gt(count, 10);
    ck_assert_uint_le(count, SETTINGS_RESTART_MAX);
}
END_TEST

/* The manual's list, from its heading to the next. */
START_TEST(restart_stands_in_the_manual)
{
    static char manual[400000];
    FILE *stream = fopen(MANUAL, "re");
    ck_assert_ptr_nonnull(stream);
    manual[fread(manual, 1, sizeof manual - 1, stream)] = '\0';
    ck_assert_int_eq(fclose(stream), 0);
    char *section = strstr(manual, "\n.Ss Settings that need a restart\n");
    ck_assert_ptr_nonnull(section);
    char *end = strstr(section + 1, "\n.S");
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    for (const char *const *name = settings_option_names(); *name != NULL; name++) {
        char line[100];
        (void)snprintf(line, sizeof line, "\n.It Ic %s\n", *name);
        ck_assert_msg((strstr(section, line) != NULL) == settings_option_restarts(*name),
                      "%s", *name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *tests = tcase_create("restart");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, restart_is_told_and_the_running_value_kept, 0,
                        CHANGE_COUNT);
    tcase_add_test(tests, restart_names_all_that_waits);
    tcase_add_test(tests, restart_is_decided_for_every_option);
    tcase_add_test(tests, restart_stands_in_the_manual);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
