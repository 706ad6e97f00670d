/* What loads, but will not work as it may be meant. */
#include "settings_fixture.h"

#include "policy/judge.h"
#include "run.h"

/* Everything that other tests are about, said right. */
#define QUIET "control = { group = \"root\"; };\nmta = { helper = \"mta.sock\"; };\n"

static const struct {
    const char *text;
    const char *begins; /* of the only warning; NULL: there is none */
} doubts[] = {
    {"milter = { socket = \"inet:8891@0.0.0.0\"; };",
     "m.conf:1: warning: milter.socket: whoever"},
    {"milter = { socket = \"inet:8891@relay.example\"; };",
     "m.conf:1: warning: milter.socket: whoever"},
    {"milter = { socket = \"inet6:8891@[2001:db8::1]\"; };",
     "m.conf:1: warning: milter.socket: whoever"},
    {"milter = { socket = \"inet:8891@127.0.0.1\"; };",
     "m.conf:1: warning: milter.socket: every user of this machine"},
    {"milter = { socket = \"inet:8891@localhost\"; };",
     "m.conf:1: warning: milter.socket: every user of this machine"},
    {"milter = { socket = \"inet6:8891@[::1]\"; };",
     "m.conf:1: warning: milter.socket: every user of this machine"},
    {"milter = { socket = \"inet6:8891@::1\"; };",
     "m.conf:1: warning: milter.socket: every user of this machine"},
    {"milter = {\nsocket_mode = \"0\"; };",
     "m.conf:2: warning: milter.socket_mode: the mail server"},
    {"milter = { socket_mode = \"0600\"; };",
     "m.conf:1: warning: milter.socket_mode: the mail"},
    {"milter = { socket_mode = \"0444\"; };",
     "m.conf:1: warning: milter.socket_mode: the mail"},
    {"milter = { socket_mode = \"0620\"; };", NULL},
    {"milter = { socket_mode = \"0666\"; };", NULL},
    {"milter = { socket = \"inet:8891@127.0.0.1\"; socket_mode = \"0\"; };",
     "m.conf:1: warning: milter.socket: every user of this machine"},
    {"mta = { type = \"sendmail\"; helper = \"mta.sock\"; };\n"
     "milter = { socket_mode = \"0600\"; };",
     NULL},
    {"mta = { type = \"sendmail\"; helper = \"mta.sock\"; };\n"
     "milter = { socket_mode = \"0400\"; };",
     "m.conf:2: warning: milter.socket_mode: the mail server"},
    {"trusted = [\n\"client:10.0.0.0/8\",\n\"client:0.0.0.0/0\" ];",
     "m.conf:3: warning: trusted: client:0.0.0.0/0 contains most of the internet"},
    {"relays = [ \"client:::/0\" ];",
     "m.conf:1: warning: relays: client:::/0 contains most"},
    {"relays = [ \"client:128.0.0.0/1\" ];",
     "m.conf:1: warning: relays: client:128.0.0.0/1"},
    {"trusted = [ \"client:2000::/3\" ];", "m.conf:1: warning: trusted: client:2000::/3"},
    {"trusted = [ \"client:::ffff:0.0.0.0/96\" ];",
     "m.conf:1: warning: trusted: client:"},
    {"trusted = [ \"client:10.0.0.0/8\", \"client:fc00::/7\", \"client:local\" ];", NULL},
    {"relays = [ \"client:10.0.0.2\", \"client:2001:db8::1\" ];", NULL},
    {"notify = { command = \"/no/such/program --now\"; };",
     "m.conf:1: warning: notify.command: there is no such program: /no/such/program"},
    {"notify = { command = \"no-such-program-here\"; };",
     "m.conf:1: warning: notify.command: there is no such program: no-such-program-here"},
    {"notify = { command = \"PAGE=1 exec /no/such/one | cat\"; };",
     "m.conf:1: warning: notify.command: there is no such program: /no/such/one"},
    {"notify = { command = \"/etc/passwd\"; };",
     "m.conf:1: warning: notify.command: there is no such program: /etc/passwd"},
    {"notify = { command = \"/etc\"; };", "m.conf:1: warning: notify.command: "},
    {"notify = { command = \"'/no/such one/page' --now\"; };",
     "m.conf:1: warning: notify.command: there is no such program: /no/such one/page"},
    {"notify = { command = \"\\\"/no/such/page\\\" -v\"; };",
     "m.conf:1: warning: notify.command: there is no such program: /no/such/page"},
    {"notify = { command = \"/bin/sh  /no/such/script.sh\"; };",
     "m.conf:1: warning: notify.command: there is no such program: /no/such/script.sh"},
    {"notify = { command = \"sh -c 'cat'\"; };", NULL},
    {"notify = { command = \"'/bin/cat' >/dev/null\"; };", NULL},
    {"notify = { command = \"'\"; };", NULL}, /* the shell's to complain about */
    {"notify = { command = \"cat >/dev/null\"; };", NULL},
    {"notify = { command = \"/bin/cat|tr a b\"; };", NULL},
    {"notify = { command = \"if true; then cat; fi\"; };", NULL},
    {"notify = { command = \"$HOME/page\"; };", NULL},
    {"notify = { command = \"{ cat; }\"; };", NULL},
    {"domains = [ \"a.example\" ];\n"
     "lists = ( { folder = \"/var/no\"; domain = \"b.example\"; } );",
     "m.conf:2: warning: lists: b.example is none of your domains"},
    {"domains = [ \"a.example\" ];\n"
     "lists = ( { folder = \"/var/no\"; domain = \"A.example\"; } );",
     NULL},
    {"store = { password_file = \"/dev/null\"; };",
     "m.conf:1: warning: store.password_file: is not a regular file: /dev/null"},
    {"store = { ca_file = \"/etc/hostname\"; };",
     "m.conf:1: warning: store.ca_file: is not used, since no server is written"},
#if MAILBRAKE_REDIS_TLS
    {"store = { server = \"tls:a:1\"; ca_file = \"/etc/hostname\"; };", NULL},
    {"store = { sentinels = [ \"tls:a:1\" ]; master = \"m\"; ca_file = "
     "\"/etc/hostname\"; };",
     NULL},
    {"store = { server = \"tls:a:1\"; ca_file = \"/dev/null\"; };",
     "m.conf:1: warning: store.ca_file: is not a regular file: /dev/null"},
#endif
    {"console = { hosts = [ \"a\" ]; user = \"no-such\"; proxy_user = \"root\"; };",
     "m.conf:1: warning: console.user: there is no such user: no-such"},
    {"console = { hosts = [ \"a\" ]; user = \"root\"; proxy_user = \"no-such\"; };",
     "m.conf:1: warning: console.proxy_user: there is no such user: no-such"},
    {"console = { user = \"no-such\"; };", NULL},
    {"store = { state_file = \"/dev/null\"; };",
     "m.conf:1: warning: store.state_file: is not a regular file: /dev/null"},
    {"store = { state_file = \"/var/no/such/state\"; };",
     "m.conf:1: warning: store.state_file: the folder of /var/no/such/state does not "
     "exist; create it: install -d -m 2750 -o mailbrake -g mailbrake /var/no/such"},
};

/* A key is named last, where it moves no line. */
static void expect_doubt(const char *text, const char *key, const char *begins)
{
    char whole[2000];
    size_t found = 0;
    bool own_helper = strstr(text, "helper") != NULL;
    snprintf(whole, sizeof whole, "%s\nprivacy = { key_file = \"%s\"; };\n%s", text, key,
             own_helper ? "control = { group = \"root\"; };" : QUIET);
    load_right(whole);
    for (size_t i = 0; i < problems.count; i++) {
        char line[1200];
        problem_format(&problems.items[i], line, sizeof line);
        const char *own = line + strlen(folder) + 1;
        ck_assert_msg(begins != NULL, "unexpected: %s", own);
        ck_assert_msg(strncmp(own, begins, strlen(begins)) == 0, "%s", own);
        found++;
    }
    ck_assert_uint_eq(found, begins == NULL ? 0 : 1);
}

START_TEST(warnings_doubts)
{
    expect_doubt(doubts[_i].text, "key", doubts[_i].begins);
}
END_TEST

START_TEST(warnings_a_key_is_a_regular_file)
{
    expect_doubt(
        "", "/dev/urandom",
        "m.conf:2: warning: privacy.key_file: is not a regular file: /dev/urandom");
    expect_doubt("", "/tmp",
                 "m.conf:2: warning: privacy.key_file: is not a regular file: /tmp");
    expect_doubt("", "/etc/passwd", NULL);
}
END_TEST

START_TEST(warnings_a_rule_has_a_name_of_its_own)
{
    char text[200];
    char begins[200];
    for (size_t i = 0; judge_other_deciders[i] != NULL; i++) {
        snprintf(text, sizeof text,
                 "rules = (\n{ name = \"%s\"; reach_over = 9; action = \"reject\"; } );",
                 judge_other_deciders[i]);
        snprintf(begins, sizeof begins, "m.conf:2: warning: rule \"%s\": the log",
                 judge_other_deciders[i]);
        expect_doubt(text, "key", begins);
    }
    expect_doubt(
        "rules = ( { name = \"brakes\"; reach_over = 9; action = \"reject\"; } );", "key",
        NULL);
}
END_TEST

START_TEST(warnings_name_what_makes_a_folder)
{
    load_right("mta = { helper = \"/no/such/mta.sock\"; };");
    ck_assert(has_warning("mta.helper: the folder of /no/such/mta.sock does not exist; "
                          "create it: install -d -m 2750 -o mailbrake -g mailbrake "
                          "/no/such"));
    load_right("store = { state_file = \"/var/lib/mailbrake/state\"; };");
    if (access("/var/lib/mailbrake", F_OK) != 0)
        ck_assert(has_warning("create it: systemd-tmpfiles --create mailbrake.conf"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("warnings");
    TCase *tests = tcase_create("warnings");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, warnings_doubts, 0, sizeof doubts / sizeof *doubts);
    tcase_add_test(tests, warnings_a_key_is_a_regular_file);
    tcase_add_test(tests, warnings_a_rule_has_a_name_of_its_own);
    tcase_add_test(tests, warnings_name_what_makes_a_folder);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
