/* What becomes of held messages, against an MTA's queue that a thread plays. */
#include "quarantine/actions.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "quarantine/record.h"
#include "store/store.h"

enum { QUEUE_SIZE = 32 };

struct mail {
    char id[16], queue[16], sender[64], mark[200];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the queue and orders */
static struct mail queue[QUEUE_SIZE];
static size_t queued;
static char order[70000]; /* the last that was no list and no header */
static atomic_int orders;
static atomic_bool fails, stop;
static char path[100];
static int listener;
static pthread_t thread;
static char helper_path[100];
static struct settings settings;
static struct store *store;
static struct digest_key key;
static struct ledger *ledger;
static struct actions *actions;
static struct error error;

/* ---- the queue ---- */

static struct mail *find_mail(const char *id)
{
    for (size_t i = 0; i < queued; i++)
        if (strcmp(queue[i].id, id) == 0 && queue[i].queue[0] != '\0')
            return &queue[i];
    return NULL;
}

static bool is_wanted(const struct mail *mail, const char *wanted)
{
    char id[100];
    if (strncmp(wanted, "sender=", 7) == 0)
        return strcmp(wanted + 7, mail->sender) == 0;
    (void)snprintf(id, sizeof id, "id=%s ", wanted + 5);
    return strstr(mail->mark, id) != NULL;
}

static void list_queue(FILE *out)
{
    int count = 0;
    for (size_t i = 0; i < queued; i++) {
        if (queue[i].queue[0] == '\0')
            continue;
        (void)fprintf(
            out,
            "{\"queue_name\": \"%s\", \"queue_id\": \"%s\", \"sender\": \"%s\", "
            "\"arrival_time\": 1753470153, \"size\": 100}\n",
            queue[i].queue, queue[i].id, queue[i].sender);
        count++;
    }
    (void)fprintf(out, "ok %d\n", count);
}

static void obey(const char *verb, struct mail *mail, const char *wanted, FILE *out)
{
    bool hold = strcmp(verb, "hold") == 0;
    atomic_fetch_add(&orders, 1);
    if (fails)
        (void)fputs("error the MTA is unwell\n", out);
    else if (mail == NULL || (!hold && strcmp(mail->queue, "hold") != 0))
        (void)fputs("missing\n", out);
    else if (!is_wanted(mail, wanted))
        (void)fputs("error another message\n", out);
    else {
        (void)snprintf(mail->queue, sizeof mail->queue, "%s", hold ? "hold" : "");
        (void)fputs("ok\n", out);
    }
}

static void serve_one(int fd)
{
    static char words[70000];
    char verb[20] = "";
    char id[20] = "";
    char wanted[200] = "";
    size_t length = 0;
    ssize_t got;
    while ((got = recv(fd, words + length, sizeof words - 1 - length, 0)) > 0)
        length += (size_t)got;
    words[length] = '\0';
    (void)sscanf(words, "%19s %19s %199s", verb, id, wanted);
    FILE *out = fdopen(dup(fd), "w");
    (void)pthread_mutex_lock(&mutex);
    struct mail *mail = find_mail(id);
    if (strcmp(verb, "list") == 0) {
        list_queue(out);
    } else if (strcmp(verb, "header") == 0) {
        if (mail == NULL)
            (void)fputs("missing\n", out);
        else
            (void)fprintf(out, "%s%sok\n", mail->mark, mail->mark[0] ? "\n" : "");
    } else {
        memcpy(order, words, length + 1);
        obey(verb, mail, wanted, out);
    }
    (void)pthread_mutex_unlock(&mutex);
    (void)fclose(out);
}

static void *serve(void *nothing)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    while (!stop) {
        if (poll(&ready, 1, 20) <= 0)
            continue;
        int fd = accept(listener, NULL, NULL);
        serve_one(fd);
        (void)close(fd);
    }
    return nothing;
}

static void start_helper(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static int number;
    (void)snprintf(path, sizeof path, "/tmp/mailbrake-actions-%d-%d", (int)getpid(),
                   ++number);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

/* The last order that was no list and no header. */
static const char *last_order(void)
{
    static char copy[sizeof order];
    (void)pthread_mutex_lock(&mutex);
    memcpy(copy, order, sizeof order);
    (void)pthread_mutex_unlock(&mutex);
    return copy;
}

/* Puts a message into the queue, or changes it; where "": it is gone. */
static void put_mail(size_t i, const struct mail *mail)
{
    (void)pthread_mutex_lock(&mutex);
    queue[i] = *mail;
    queued = i >= queued ? i + 1 : queued;
    (void)pthread_mutex_unlock(&mutex);
}

static struct mail get_mail(size_t i)
{
    (void)pthread_mutex_lock(&mutex);
    struct mail mail = queue[i];
    (void)pthread_mutex_unlock(&mutex);
    return mail;
}

static void move_mail(size_t i, const char *where)
{
    struct mail mail = get_mail(i);
    (void)snprintf(mail.queue, sizeof mail.queue, "%s", where);
    put_mail(i, &mail);
}

static void mark_mail(size_t i, const char *mark)
{
    struct mail mail = get_mail(i);
    (void)snprintf(mail.mark, sizeof mail.mark, "%s", mark);
    put_mail(i, &mail);
}

/* ---- set-up ---- */

static void ignore_report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

static void setup(void)
{
    static char prefix[] = "mailbrake", nothing[] = "";
    static char domain[] = "own.example", delimiters[] = "+";
    static char *names[] = {domain};
    struct store_reporter reporter = {.report = ignore_report};
    const struct store_settings memory = {
        .type = STORE_TYPE_MEMORY, .prefix = prefix, .state_file = nothing, .nodes = 1};
    memset(queue, 0, sizeof queue); /* nobody else is there yet */
    queued = 0;
    orders = 0;
    fails = false;
    start_helper();
    (void)snprintf(helper_path, sizeof helper_path, "%s", path);
    settings = (struct settings){0};
    settings.mta.helper = helper_path;
    settings.quarantine.max_per_incident = 500;
    settings.quarantine.max_messages = 5000;
    settings.policy.domains =
        (struct domains){.names = names, .count = 1, .delimiters = delimiters};
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    ck_assert_int_eq(store_open(&memory, &key, reporter, &store, &error), STATUS_OK);
    ledger = ledger_new(store, &key, "relay1");
    actions = actions_new(ledger, &key, "relay1");
}

static void teardown(void)
{
    stop = true;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(listener);
    (void)unlink(path);
    actions_free(actions);
    ledger_free(ledger);
    store_close(store);
}

static int64_t soon(void)
{
    return clock_monotonic_us() + 5000000;
}

/* A message on hold with its record; its id. */
static struct hold hold_mail(const char *queue_id, const char *sender, bool tell)
{
    struct hold hold;
    struct mail mail = {0};
    struct event event = {.action = ACTION_QUARANTINE,
                          .rule = "many",
                          .fingerprint = "00112233445566778899aabbccddeeff",
                          .subject = "login:a@own.example",
                          .identity = "login:a@own.example",
                          .sender = sender,
                          .tell = tell,
                          .lists = {"all@own.example"},
                          .list_count = 1,
                          .addressed = {"all@own.example"},
                          .addressed_count = 25,
                          .reach = 300,
                          .queue_id = queue_id,
                          .now_ms = clock_wall_ms() - 60000};
    for (size_t i = 1; i < EVENT_ADDRESSED_MAX; i++)
        event.addressed[i] = "\x1b[2J@own.example";
    ledger_hold(ledger, &settings, &event, soon(), &hold);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    (void)snprintf(mail.id, sizeof mail.id, "%s", queue_id);
    (void)snprintf(mail.queue, sizeof mail.queue, "hold");
    (void)snprintf(mail.sender, sizeof mail.sender, "%s", sender);
    (void)snprintf(mail.mark, sizeof mail.mark, "id=%s rule=many incident=%s reach=300",
                   hold.id, hold.incident);
    put_mail(queued, &mail);
    return hold;
}

static void add_mail(const char *queue_id, const char *where, const char *sender)
{
    struct mail mail = {0};
    (void)snprintf(mail.id, sizeof mail.id, "%s", queue_id);
    (void)snprintf(mail.queue, sizeof mail.queue, "%s", where);
    (void)snprintf(mail.sender, sizeof mail.sender, "%s", sender);
    put_mail(queued, &mail);
}

static void expect_state(const char *id, const char *state)
{
    json_t *hold;
    ck_assert_int_eq(ledger_find_hold(ledger, id, soon(), &hold), STATUS_OK);
    ck_assert_str_eq(record_text(hold, "state"), state);
    json_decref(hold);
}

static enum status decide(enum actions_verb verb, const char *id)
{
    return actions_decide(actions, &settings, verb, id, &error);
}

static void expect_words(const char *words)
{
    ck_assert_msg(strstr(error.text, words) != NULL, "%s", error.text);
}

static struct actions_sync sync_now(void)
{
    struct actions_sync found;
    ck_assert_msg(actions_sync(actions, &settings, &found, &error) == STATUS_OK, "%s",
                  error.text);
    return found;
}

/* ---- one message ---- */

START_TEST(actions_release_once)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
    expect_state(hold.id, "released");
    char expected[100];
    (void)snprintf(expected, sizeof expected, "release 4QA mark=%s\n", hold.id);
    ck_assert_str_eq(last_order(), expected);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_CONFLICT);
    expect_words("was already released");
    ck_assert_int_eq(decide(ACTIONS_DELETE, hold.id), STATUS_CONFLICT);
    ck_assert_int_eq(orders, 1);
}
END_TEST

static void *release_in_thread(void *id)
{
    struct error own;
    enum status *status = malloc(sizeof *status);
    *status = actions_decide(actions, &settings, ACTIONS_RELEASE, id, &own);
    return status;
}

START_TEST(actions_of_many_at_once_one_wins)
{
    enum { AT_ONCE = 6 };
    pthread_t threads[AT_ONCE];
    int won = 0;
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, release_in_thread, hold.id),
                         0);
    for (int i = 0; i < AT_ONCE; i++) {
        void *status;
        ck_assert_int_eq(pthread_join(threads[i], &status), 0);
        won += *(enum status *)status == STATUS_OK;
        ck_assert(*(enum status *)status == STATUS_OK ||
                  *(enum status *)status == STATUS_CONFLICT);
        free(status);
    }
    ck_assert_int_eq(won, 1);
    ck_assert_int_eq(orders, 1);
}
END_TEST

START_TEST(actions_keep_what_the_helper_could_not_do)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    fails = true;
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_INVALID);
    expect_words("the MTA is unwell");
    expect_state(hold.id, "held");
    fails = false;
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
}
END_TEST

START_TEST(actions_report_what_is_gone)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    move_mail(0, "");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_NOT_FOUND);
    expect_words("not in the queue any more");
    expect_state(hold.id, "gone");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_NOT_FOUND);
    ck_assert_int_eq(orders, 1);
}
END_TEST

START_TEST(actions_never_touch_a_reused_queue_id)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    mark_mail(0, "id=ffffffffffffffff rule=r incident=- reach=1");
    ck_assert_int_eq(decide(ACTIONS_DELETE, hold.id), STATUS_INVALID);
    expect_words("another message");
    ck_assert_str_eq(get_mail(0).queue, "hold");
    expect_state(hold.id, "held");
}
END_TEST

START_TEST(actions_are_for_this_relay)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    struct actions *other = actions_new(ledger, &key, "relay2");
    ck_assert_int_eq(actions_decide(other, &settings, ACTIONS_RELEASE, hold.id, &error),
                     STATUS_CONFLICT);
    expect_words("is held on relay1: run it there");
    ck_assert_int_eq(orders, 0);
    actions_free(other);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, "ALL"), STATUS_NOT_FOUND);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, ""), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(actions_foresee_a_release)
{
    json_t *hold;
    bool possible;
    struct text words = {0};
    struct hold held = hold_mail("4QA", "a@own.example", true);
    ck_assert_int_eq(ledger_find_hold(ledger, held.id, soon(), &hold), STATUS_OK);
    ck_assert_int_eq(actions_foresee(actions, &settings, hold, &possible, &words),
                     STATUS_OK);
    ck_assert(possible);
    ck_assert_ptr_nonnull(strstr(text_string(&words), "to 300 mailboxes"));
    text_reset(&words);
    mark_mail(0, "id=ffffffffffffffff rule=r incident=- reach=1");
    ck_assert_int_eq(actions_foresee(actions, &settings, hold, &possible, &words),
                     STATUS_OK);
    ck_assert(!possible);
    ck_assert_ptr_nonnull(strstr(text_string(&words), "another message"));
    text_clear(&words);
    json_decref(hold);
    ck_assert_int_eq(orders, 0);
}
END_TEST

START_TEST(actions_refuse_with_our_own_words)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    char expected[100];
    ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
    expect_state(hold.id, "refused");
    (void)snprintf(expected, sizeof expected,
                   "refuse 4QA mark=%s a@own.example\nFrom: ", hold.id);
    ck_assert_int_eq(strncmp(last_order(), expected, strlen(expected)), 0);
    ck_assert_ptr_nonnull(strstr(last_order(), "\nAuto-Submitted: auto-generated\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "\nX-Mailbrake-Notice: "));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n    all@own.example\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n    \\x1b[2J@own.example\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n    and 5 more\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "would have reached 300 mailboxes"));
    ck_assert_ptr_nonnull(strstr(last_order(), hold.incident));
    for (const char *c = last_order(); *c != '\0'; c++)
        ck_assert(*c == '\n' || (*c >= ' ' && *c <= '~'));
}
END_TEST

START_TEST(actions_refuse_without_a_word_to_the_forged)
{
    static const char *const senders[] = {"", "no-domain", "-x@own.example",
                                          "a b@own.example", "a@own.example,b@x"};
    struct hold hold = hold_mail("4Q0", "a@own.example", false);
    ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " -\n"));
    ck_assert_ptr_null(strstr(last_order(), "From:"));
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "4Q%zu", i + 1);
        hold = hold_mail(id, senders[i], true);
        ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
        ck_assert_ptr_nonnull(strstr(last_order(), " -\n"));
    }
}
END_TEST

/* ---- the queue ---- */

START_TEST(sync_knows_restores_and_ends)
{
    struct hold known = hold_mail("4QA", "a@own.example", true);
    struct hold gone = hold_mail("4QB", "a@own.example", true);
    struct hold released = hold_mail("4QC", "a@own.example", true);
    move_mail(1, "");
    move_mail(2, "deferred");
    add_mail("4QD", "hold", "b@own.example");
    mark_mail(3, "id=0011223344556677 rule=many incident=8899aabbccddeeff reach=7");
    add_mail("4QE", "hold", "c@own.example"); /* by somebody else */
    add_mail("4QF", "active", "d@own.example");
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.in_queue, 3);
    ck_assert_uint_eq(found.known, 1);
    ck_assert_uint_eq(found.restored, 1);
    ck_assert_uint_eq(found.foreign, 1);
    ck_assert_uint_eq(found.failed, 0);
    ck_assert_uint_eq(found.ended, 2);
    expect_state(known.id, "held");
    expect_state(gone.id, "gone");
    expect_state(released.id, "released");
    expect_state("0011223344556677", "held");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, "0011223344556677"), STATUS_OK);
    found = sync_now();
    ck_assert_uint_eq(found.known, 1);
    ck_assert_uint_eq(found.restored + found.ended, 0);
}
END_TEST

START_TEST(sync_ends_what_a_crash_left_behind)
{
    struct hold done = hold_mail("4QA", "a@own.example", true);
    struct hold undone = hold_mail("4QB", "a@own.example", true);
    struct hold refused = hold_mail("4QC", "a@own.example", true);
    ck_assert_int_eq(ledger_move(ledger, done.id, "held", "releasing", soon()),
                     STATUS_OK);
    ck_assert_int_eq(ledger_move(ledger, undone.id, "held", "deleting", soon()),
                     STATUS_OK);
    ck_assert_int_eq(ledger_move(ledger, refused.id, "held", "refusing", soon()),
                     STATUS_OK);
    move_mail(0, "");
    move_mail(2, "");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, done.id), STATUS_CONFLICT);
    expect_words("being decided");
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.restored, 1);
    ck_assert_uint_eq(found.ended, 2);
    expect_state(done.id, "released");
    expect_state(undone.id, "held");
    expect_state(refused.id, "refused");
}
END_TEST

START_TEST(sync_leaves_other_relays_alone)
{
    struct ledger *elsewhere = ledger_new(store, &key, "relay2");
    struct ledger *here = ledger;
    ledger = elsewhere;
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    ledger = here;
    move_mail(0, "");
    ck_assert_uint_eq(sync_now().ended, 0);
    expect_state(hold.id, "held");
    ledger_free(elsewhere);
}
END_TEST

START_TEST(sync_without_a_helper_changes_nothing)
{
    static char nowhere[] = "/tmp/mailbrake-no-helper";
    struct actions_sync found;
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    settings.mta.helper = nowhere;
    ck_assert_int_eq(actions_sync(actions, &settings, &found, &error),
                     STATUS_UNAVAILABLE);
    expect_state(hold.id, "held");
}
END_TEST

START_TEST(pull_back_holds_one_sender)
{
    struct actions_pull pulled;
    json_t *holds;
    add_mail("4QA", "deferred", "Ann+tag@OWN.example");
    add_mail("4QB", "active", "ann@own.example");
    add_mail("4QC", "deferred", "bob@own.example");
    add_mail("4QD", "hold", "ann@own.example");
    ck_assert_int_eq(
        actions_pull_back(actions, &settings, "sender:ann@own.example", &pulled, &error),
        STATUS_OK);
    ck_assert_uint_eq(pulled.held, 2);
    ck_assert_uint_eq(pulled.failed + pulled.unrecorded, 0);
    ck_assert_str_eq(get_mail(2).queue, "deferred");
    ck_assert_int_eq(ledger_holds(ledger, false, soon(), &holds), STATUS_OK);
    ck_assert_uint_eq(json_array_size(holds), 2);
    const json_t *first = json_array_get(holds, 0);
    ck_assert_str_eq(record_text(first, "rule"), "brake");
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.known, 2);
    ck_assert_uint_eq(found.foreign, 1);
    ck_assert_uint_eq(found.ended, 0);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, record_text(first, "id")), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " sender="));
    json_decref(holds);
}
END_TEST

START_TEST(pull_back_is_for_senders)
{
    struct actions_pull pulled;
    ck_assert_int_eq(
        actions_pull_back(actions, &settings, "login:a@own.example", &pulled, &error),
        STATUS_INVALID);
    ck_assert_int_eq(orders, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("actions");
    TCase *cases = tcase_create("actions");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, actions_release_once);
    tcase_add_test(cases, actions_of_many_at_once_one_wins);
    tcase_add_test(cases, actions_keep_what_the_helper_could_not_do);
    tcase_add_test(cases, actions_report_what_is_gone);
    tcase_add_test(cases, actions_never_touch_a_reused_queue_id);
    tcase_add_test(cases, actions_are_for_this_relay);
    tcase_add_test(cases, actions_foresee_a_release);
    tcase_add_test(cases, actions_refuse_with_our_own_words);
    tcase_add_test(cases, actions_refuse_without_a_word_to_the_forged);
    tcase_add_test(cases, sync_knows_restores_and_ends);
    tcase_add_test(cases, sync_ends_what_a_crash_left_behind);
    tcase_add_test(cases, sync_leaves_other_relays_alone);
    tcase_add_test(cases, sync_without_a_helper_changes_nothing);
    tcase_add_test(cases, pull_back_holds_one_sender);
    tcase_add_test(cases, pull_back_is_for_senders);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
