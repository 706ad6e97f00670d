/* Notices against a store in memory and a private Redis, with something on a unix socket
 * that takes letters like mailbrake-mta(8), or does not. */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "quarantine/notices/notices.h"
#include "run.h"

enum manner { AWAY, TAKES, SILENT, REFUSES };

enum {
    LETTERS = 200,
    LETTER_SIZE = 8000,
    AWHILE_MS = 15 * 60 * 1000,
    LAPSED_MS = NOTICES_LEASE_MS + 1000, /* a claim made a moment after a pass began */
};

static char folder[64], path[96], command[200], output[96];
static int listener = -1;
static pthread_t thread;
static atomic_int manner;
static atomic_bool stop;
static atomic_bool freezes; /* the store stops before a letter is answered */
static char letters[LETTERS][LETTER_SIZE];
static atomic_int letter_count; /* that were taken */
static atomic_int tries;        /* letters that came, also those that were not taken */
static char administrator[] = "postmaster@own";
static char *administrators[] = {administrator};
static struct notices notices;
static struct error error;

static void serve(int fd)
{
    char *letter = letters[letter_count % LETTERS];
    size_t length = 0;
    ssize_t got;
    while ((got = recv(fd, letter + length, LETTER_SIZE - 1 - length, 0)) > 0)
        length += (size_t)got;
    letter[length] = '\0';
    tries++;
    if (manner == TAKES)
        letter_count++;
    if (freezes)
        (void)kill(server.pid, SIGSTOP);
    static const char taken[] = "ok\n";
    static const char refused[] = "error 550 no\n";
    if (manner == TAKES || manner == REFUSES)
        (void)send(fd, manner == TAKES ? taken : refused,
                   strlen(manner == TAKES ? taken : refused), MSG_NOSIGNAL);
    while (manner == SILENT && !atomic_load(&stop))
        (void)usleep(1000);
}

static void *run_helper(void *context)
{
    (void)context;
    while (!atomic_load(&stop)) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        if (poll(&ready, 1, 10) <= 0)
            continue;
        int fd = accept(listener, NULL, NULL);
        if (manner != AWAY)
            serve(fd);
        (void)close(fd);
    }
    return NULL;
}

static void open_helper(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(folder, sizeof folder, "/tmp/mailbrake-notices-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/mta.sock", folder);
    (void)snprintf(output, sizeof output, "%s/noticed", folder);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    atomic_store(&stop, false);
    letter_count = 0;
    tries = 0;
    manner = TAKES;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_helper, NULL), 0);
}

static void open_all(bool redis)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as in mailbraked */
    open_ledger(redis);
    open_helper();
    settings.quarantine.expire_ms = INT64_C(7) * 86400 * 1000;
    settings.mta.helper = path;
    settings.notify.to = administrators;
    settings.notify.to_count = 1;
    settings.notify.command = NULL;
    settings.notify.min_interval_ms = AWHILE_MS;
    settings.notify.tell_sender = true;
    notices = (struct notices){
        .ledger = ledger, .token_key = &key, .host = "relay1", .timeout_ms = 20000};
}

static void open_memory(void)
{
    open_all(false);
}

static void open_redis(void)
{
    open_all(true);
}

static void close_all(void)
{
    atomic_store(&stop, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(listener);
    (void)unlink(path);
    (void)unlink(output);
    (void)rmdir(folder);
    teardown();
}

static enum status send_at(int64_t at_ms)
{
    error = (struct error){0};
    return notices_send(&notices, &settings, at_ms, &error);
}

/* How many went to that address. */
static int count_to(const char *address)
{
    char order[100];
    int count = 0;
    (void)snprintf(order, sizeof order, "notice %s\n", address);
    for (int i = 0; i < letter_count; i++)
        count += strncmp(letters[i], order, strlen(order)) == 0;
    return count;
}

static struct event of(const char *subject, const char *identity, const char *sender,
                       const char *client)
{
    struct event event = make_event(subject);
    event.identity = identity;
    event.sender = sender;
    event.client = client;
    event.proven = event.tell = true;
    return event;
}

static struct hold hold_of(const char *subject, const char *identity, const char *sender,
                           const char *client)
{
    struct hold hold;
    struct event event = of(subject, identity, sender, client);
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    return hold;
}

START_TEST(notices_outlive_a_helper_that_is_away)
{
    struct hold hold = hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    manner = AWAY;
    ck_assert_int_eq(send_at(now_ms), STATUS_UNAVAILABLE);
    ck_assert_int_eq(letter_count, 0);
    json_t *found = incident(hold.incident);
    ck_assert_int_eq(record_number(found, "notices"), 0);
    ck_assert(!json_is_true(json_object_get(found, "sender_told")));
    json_decref(found);

    manner = TAKES;
    ck_assert_int_eq(send_at(now_ms + 1000), STATUS_OK); /* the letter was not begun */
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_int_eq(count_to("postmaster@own"), 0);
    ck_assert_int_eq(send_at(now_ms + LAPSED_MS), STATUS_OK);
    for (int i = 1; i < 5; i++)
        ck_assert_int_eq(send_at(now_ms + (i + 1) * LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_int_eq(count_to("postmaster@own"), 1);
    found = incident(hold.incident);
    ck_assert_int_eq(record_number(found, "notices"), 1);
    ck_assert(json_is_true(json_object_get(found, "sender_told")));
    json_decref(found);
}
END_TEST

START_TEST(notices_are_sent_late_rather_than_never)
{
    (void)hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    manner = AWAY;
    int64_t later_ms = now_ms;
    for (int i = 0; i < 4; i++, later_ms += INCIDENT_GAP_MS)
        ck_assert_int_eq(send_at(later_ms), STATUS_UNAVAILABLE);
    prune(later_ms, INT64_C(86400000)); /* it is over by now */
    manner = TAKES;
    notices.passes = 0;
    ck_assert_int_eq(send_at(later_ms), STATUS_OK);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_int_eq(count_to("postmaster@own"), 1);
}
END_TEST

START_TEST(notices_do_not_wait_for_a_helper_that_hangs)
{
    (void)hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    (void)hold_of("login:b@own", "login:b@own", "b@own", "10.0.0.1");
    manner = SILENT;
    notices.timeout_ms = 1000;
    int64_t begun_us = clock_monotonic_us();
    ck_assert_int_eq(send_at(now_ms), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - begun_us, 1900000); /* once, not four times */
    manner = TAKES;
    ck_assert_int_eq(send_at(now_ms + LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(count_to("postmaster@own"), 2);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_int_eq(count_to("b@own"), 1);
}
END_TEST

START_TEST(notices_give_up_an_address_that_is_refused)
{
    (void)hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    settings.notify.to_count = 0;
    manner = REFUSES;
    for (int i = 0; i < NOTICES_TRIES; i++)
        ck_assert_int_eq(send_at(now_ms + i * LAPSED_MS), STATUS_INVALID);
    ck_assert_int_eq(send_at(now_ms + NOTICES_TRIES * LAPSED_MS), STATUS_OK);
    manner = TAKES;
    ck_assert_int_eq(send_at(now_ms + (NOTICES_TRIES + 1) * LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(letter_count, 0);
}
END_TEST

START_TEST(notices_are_claimed_from_when_they_are_sent)
{
    static char sleeps[] = "sleep 1.2";
    settings.notify.command = sleeps; /* the administrators' notice comes first */
    struct hold hold = hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    ck_assert_int_eq(send_at(now_ms), STATUS_OK);
    json_t *found = incident(hold.incident);
    const json_t *letter = json_array_get(json_object_get(found, "letters"), 0);
    ck_assert_int_ge(record_number(letter, "claim_ms"), now_ms + 1000);
    ck_assert_int_ge(record_number(letter, "told_ms"), now_ms + 1000);
    json_decref(found);
}
END_TEST

/* From "Reply-To: confirm+TOKEN" or "Message-ID: <ID". */
static void take_field(const char *letter, const char *name, char out[100])
{
    const char *field = strstr(letter, name);
    ck_assert_ptr_nonnull(field);
    (void)snprintf(out, 100, "%.*s", (int)strcspn(field, "\n"), field);
}

START_TEST(notices_are_the_same_letter_in_each_try)
{
    static char address[] = "confirm@own";
    static const char *const fields[] = {"Reply-To: confirm+", "Message-ID: <"};
    char first[2][100], second[2][100];
    struct hold hold;
    struct event event = of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    event.confirm = true;
    event.confirmed_by = "login:a@own";
    settings.policy.confirm = (struct confirm_settings){address, 86400000, 500};
    ck_assert_int_eq(domains_set_delimiters(&settings.policy.domains, "+"), STATUS_OK);
    settings.notify.to_count = 0;
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    manner = SILENT; /* it may have taken it, or not */
    notices.timeout_ms = 1000;
    ck_assert_int_eq(send_at(now_ms), STATUS_UNAVAILABLE);
    ck_assert_int_eq(tries, 1);
    for (int i = 0; i < 2; i++)
        take_field(letters[0], fields[i], first[i]);
    manner = TAKES;
    clock_sleep_ms(100);
    ck_assert_int_eq(send_at(now_ms + LAPSED_MS), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        take_field(letters[0], fields[i], second[i]);
        ck_assert_str_eq(first[i], second[i]);
    }
    json_t *found = incident(hold.incident);
    const json_t *letter = json_array_get(json_object_get(found, "letters"), 0);
    ck_assert_ptr_null(json_object_get(letter, "token"));
    ck_assert_int_gt(record_number(letter, "told_ms"), 0);
    json_decref(found);
    domains_clear(&settings.policy.domains);
}
END_TEST

START_TEST(notices_that_were_handed_over_are_not_sent_again)
{
    settings.notify.to_count = 0;
    struct hold hold = hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    atomic_store(&freezes, true);
    (void)!send_at(now_ms); /* the store can't be told */
    atomic_store(&freezes, false);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_uint_eq(notices.handed_count, 1);
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
    for (int i = 0; i < 100 && send_at(now_ms + LAPSED_MS + i) != STATUS_OK; i++)
        clock_sleep_ms(100);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_uint_eq(notices.handed_count, 0);
    json_t *found = incident(hold.incident);
    ck_assert(json_is_true(json_object_get(found, "sender_told")));
    json_decref(found);
}
END_TEST

static void *send_in_thread(void *host)
{
    struct error own = {0};
    struct notices other = notices;
    other.host = host;
    enum status status = notices_send(&other, &settings, now_ms, &own);
    return status == STATUS_OK ? NULL : host;
}

START_TEST(notices_of_several_relays_are_sent_once)
{
    enum { RELAYS = 4 };
    static char hosts[RELAYS][3] = {"r1", "r2", "r3", "r4"};
    pthread_t relays[RELAYS];
    (void)hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    (void)hold_of("login:b@own", "login:b@own", "b@own", "10.0.0.1");
    for (int i = 0; i < RELAYS; i++)
        ck_assert_int_eq(pthread_create(&relays[i], NULL, send_in_thread, hosts[i]), 0);
    for (int i = 0; i < RELAYS; i++) {
        void *failed = NULL;
        ck_assert_int_eq(pthread_join(relays[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    ck_assert_int_eq(count_to("postmaster@own"), 2);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_int_eq(count_to("b@own"), 1);
}
END_TEST

START_TEST(notices_tell_each_sender_of_an_incident)
{
    (void)hold_of("list:all@own", "login:a@own", "a@own", "10.0.0.1");
    (void)hold_of("list:all@own", "login:b@own", "b@own", "10.0.0.1");
    struct hold gone = hold_of("list:all@own", "login:b@own", "b@own", "10.0.0.1");
    ck_assert_int_eq(move(gone.id, "held", "released"), STATUS_OK);
    ck_assert_int_eq(send_at(now_ms), STATUS_OK);
    ck_assert_int_eq(send_at(now_ms + 5000), STATUS_OK);
    ck_assert_int_eq(count_to("a@own"), 1);
    ck_assert_int_eq(count_to("b@own"), 1);
    ck_assert_int_eq(count_to("postmaster@own"), 1);
}
END_TEST

START_TEST(notices_say_nothing_of_what_was_let_go)
{
    struct hold hold = hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    ck_assert_int_eq(move(hold.id, "held", "released"), STATUS_OK);
    ck_assert_int_eq(send_at(now_ms), STATUS_OK);
    ck_assert_int_eq(count_to("a@own"), 0);
}
END_TEST

START_TEST(notices_make_no_storm_of_one_machine)
{
    char subject[40];
    for (int i = 0; i < 40; i++) { /* anybody's address, without a login */
        (void)snprintf(subject, sizeof subject, "sender:t%d@own", i);
        (void)hold_of(subject, subject, subject + 7, "10.1.2.3");
    }
    (void)hold_of("sender:u@own", "sender:u@own", "u@own", "10.1.2.4");
    for (int i = 0; i < 40; i++) { /* any number of stolen passwords */
        (void)snprintf(subject, sizeof subject, "login:l%d@own", i);
        (void)hold_of(subject, subject, subject + 6, "10.1.2.5");
    }
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(send_at(now_ms + i * AWHILE_MS / 2), STATUS_OK);
    int to_senders = 0;
    for (int i = 0; i < letter_count; i++)
        to_senders += strncmp(letters[i], "notice postmaster@own", 21) != 0;
    ck_assert_int_eq(to_senders, 1 + 1 + NOTICES_SENDER_MAX);
    ck_assert_int_eq(count_to("u@own"), 1);
}
END_TEST

START_TEST(notices_page_a_hold_whatever_is_refused)
{
    char subject[40];
    for (int i = 0; i < 60; i++) {
        (void)snprintf(subject, sizeof subject, "sender:%d@else", i);
        for (int n = 0; n < NOTICES_REFUSALS_MIN; n++)
            (void)count_one(subject, ACTION_REJECT);
    }
    flush();
    ck_assert_int_eq(send_at(now_ms), STATUS_OK);
    ck_assert_int_eq(letter_count, NOTICES_REFUSALS + 1); /* and a sum-up */
    ck_assert_ptr_nonnull(
        strstr(letters[letter_count - 1], "55 more incidents, 0 of them holding mail"));
    (void)hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    (void)hold_of("sender:7@else", "login:b@own", "b@own", "10.0.0.1");
    ck_assert_int_eq(send_at(now_ms + 5000), STATUS_OK);
    ck_assert_int_eq(count_to("postmaster@own"), NOTICES_REFUSALS + 1 + 2);
    ck_assert_int_eq(send_at(now_ms + 10000), STATUS_OK);
    ck_assert_int_eq(count_to("postmaster@own"), NOTICES_REFUSALS + 1 + 2);
}
END_TEST

START_TEST(notices_sum_up_is_not_lost)
{
    char subject[40];
    for (int i = 0; i < NOTICES_HOLDS + 20; i++) {
        (void)snprintf(subject, sizeof subject, "login:l%d@own", i);
        (void)hold_of(subject, subject, subject + 6, "10.1.2.5");
    }
    settings.notify.tell_sender = false;
    for (int i = 0; i < NOTICES_HOLDS; i++)
        ck_assert_int_eq(send_at(now_ms), STATUS_OK);
    ck_assert_int_eq(letter_count, NOTICES_HOLDS + 1);
    ck_assert_ptr_nonnull(strstr(letters[NOTICES_HOLDS], "20 more incidents have"));
    ck_assert_int_eq(send_at(now_ms + AWHILE_MS / 2), STATUS_OK);
    ck_assert_int_eq(letter_count, NOTICES_HOLDS + 1);

    for (int i = 0; i < NOTICES_HOLDS + 5; i++) {
        (void)snprintf(subject, sizeof subject, "login:m%d@own", i);
        struct event event = of(subject, subject, subject + 6, "10.1.2.6");
        struct hold hold;
        event.now_ms = now_ms + AWHILE_MS + 1000;
        ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    }
    manner = AWAY;
    ck_assert_int_eq(send_at(now_ms + AWHILE_MS + 2000), STATUS_UNAVAILABLE);
    manner = TAKES;
    ck_assert_int_eq(send_at(now_ms + AWHILE_MS + 2000 + LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(letter_count, NOTICES_HOLDS + 1 + NOTICES_HOLDS + 1 + 1);
    ck_assert_ptr_nonnull(strstr(letters[letter_count - 1], " more incidents, "));
}
END_TEST

/* What notify.command read, one document a line. */
static json_t *read_document(int number)
{
    char line[30000];
    json_t *document = NULL;
    FILE *file = fopen(output, "re");
    for (int i = 0; file != NULL && i <= number; i++) {
        json_decref(document);
        document =
            fgets(line, sizeof line, file) == NULL ? NULL : json_loads(line, 0, NULL);
    }
    if (file != NULL)
        (void)fclose(file);
    return document;
}

START_TEST(notices_run_the_command_with_all_that_is_known)
{
    struct hold hold = hold_of("list:all@own", "login:a@own", "a@own", "10.0.0.1");
    (void)snprintf(command, sizeof command, "cat >>%s; echo >>%s", output, output);
    settings.notify.command = command;
    manner = AWAY; /* of the two ways each goes when it can, and once */
    ck_assert_int_eq(send_at(now_ms), STATUS_UNAVAILABLE);
    manner = TAKES;
    ck_assert_int_eq(send_at(now_ms + LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(send_at(now_ms + 3 * LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(count_to("postmaster@own"), 1);
    json_t *document = read_document(0);
    ck_assert_ptr_nonnull(document);
    ck_assert_ptr_null(read_document(1));
    ck_assert_str_eq(record_text(document, "event"), "incident");
    ck_assert_str_eq(record_text(document, "id"), hold.incident);
    ck_assert_str_eq(record_text(document, "host"), "relay1");
    ck_assert_int_eq(record_number(document, "waiting"), 1);
    ck_assert_ptr_nonnull(strstr(record_text(document, "text"), "login:a@own"));
    ck_assert_ptr_nonnull(strstr(record_text(document, "subject"), "1 held"));
    ck_assert_uint_eq(strlen(record_text(document, "opened_at")), 20);
    ck_assert_ptr_null(json_object_get(document, "letters"));
    ck_assert_ptr_null(json_object_get(document, "parties"));
    ck_assert_ptr_null(json_object_get(document, "notice_claim_ms"));
    json_decref(document);
}
END_TEST

START_TEST(notices_survive_a_command_that_fails_or_hangs)
{
    static char hangs[] = "sleep 30 & sleep 30";
    static char fails[] = "exit 3";
    (void)hold_of("login:a@own", "login:a@own", "a@own", "10.0.0.1");
    settings.notify.command = hangs;
    notices.timeout_ms = 1000;
    int64_t begun_us = clock_monotonic_us();
    ck_assert_int_eq(send_at(now_ms), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "took too long"));
    ck_assert_int_lt(clock_monotonic_us() - begun_us, 1900000);
    settings.notify.command = fails;
    for (int i = 1; i < NOTICES_TRIES; i++)
        ck_assert_int_eq(send_at(now_ms + i * LAPSED_MS), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "exited with status 3"));
    ck_assert_int_eq(send_at(now_ms + NOTICES_TRIES * LAPSED_MS), STATUS_OK);
    ck_assert_int_eq(count_to("postmaster@own"), 1);
    ck_assert_int_eq(count_to("a@own"), 1);
}
END_TEST

static TCase *make_case(const char *name, SFun setup)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, close_all);
    tcase_add_test(tcase, notices_outlive_a_helper_that_is_away);
    tcase_add_test(tcase, notices_are_sent_late_rather_than_never);
    tcase_add_test(tcase, notices_do_not_wait_for_a_helper_that_hangs);
    tcase_add_test(tcase, notices_give_up_an_address_that_is_refused);
    tcase_add_test(tcase, notices_of_several_relays_are_sent_once);
    tcase_add_test(tcase, notices_are_claimed_from_when_they_are_sent);
    tcase_add_test(tcase, notices_are_the_same_letter_in_each_try);
    tcase_add_test(tcase, notices_tell_each_sender_of_an_incident);
    tcase_add_test(tcase, notices_say_nothing_of_what_was_let_go);
    tcase_add_test(tcase, notices_make_no_storm_of_one_machine);
    tcase_add_test(tcase, notices_page_a_hold_whatever_is_refused);
    tcase_add_test(tcase, notices_sum_up_is_not_lost);
    tcase_add_test(tcase, notices_run_the_command_with_all_that_is_known);
    tcase_add_test(tcase, notices_survive_a_command_that_fails_or_hangs);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("notices");
    suite_add_tcase(suite, make_case("memory", open_memory));
    TCase *redis = make_case("redis", open_redis);
    tcase_add_test(redis, notices_that_were_handed_over_are_not_sent_again);
    suite_add_tcase(suite, redis);
    return run_suite(suite);
}
