/* The records against the queue: what sync knows, restores and ends, and what a brake
 * pulls back. */
#include "actions_fixture.h"

#include "hold_array.h"
#include "quarantine/actions_parts.h"
#include "quarantine/local_holds.h"
#include "run.h"

static enum status pull(const char *typed, struct actions_pull *recalled)
{
    struct brake brake;
    ck_assert_int_eq(
        brake_parse_key(typed, &settings.policy.domains, NULL, &brake, &error),
        STATUS_OK);
    brake.until_ms = INT64_MAX;
    enum status status =
        actions_pull_back(actions, &settings, &brake, NULL, recalled, &error);
    brake_clear(&brake);
    return status;
}

START_TEST(sync_knows_restores_and_ends)
{
    struct hold known = hold_mail("ABCDEA", "a@own.example", true);
    struct hold gone = hold_mail("ABCDEB", "a@own.example", true);
    struct hold released = hold_mail("ABCDEC", "a@own.example", true);
    move_mail(1, "");
    move_mail(2, "deferred");
    add_mail("ABCDED", "hold", "b@own.example");
    hold_header_mail(3,
                     "id=0011223344556677 rule=many incident=8899aabbccddeeff reach=7");
    add_mail("ABCDEE", "hold", "c@own.example"); /* by somebody else */
    add_mail("ABCDEF", "active", "d@own.example");
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

/* There may be 20,000 of 16 KB, which are some 300 KB each once they are parsed. */
START_TEST(sync_keeps_little_of_each_record)
{
    struct local_holds holds = {0};
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    ck_assert_int_eq(local_holds_read(ledger, "relay1", soon(), &holds), STATUS_OK);
    ck_assert_uint_eq(holds.count, 1);
    const struct local_hold *found = local_holds_find(&holds, hold.id);
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found->queue_id, "ABCDEA");
    ck_assert_str_eq(found->state, "held");
    ck_assert_ptr_null(local_holds_find(&holds, "0011223344556677"));
    ck_assert_ptr_null(local_holds_find_recalled(&holds, "ABCDEA"));
    ck_assert_uint_le(sizeof *found, 100);
    local_holds_clear(&holds);
    ck_assert_int_eq(local_holds_read(ledger, "relay2", soon(), &holds), STATUS_OK);
    ck_assert_uint_eq(holds.count, 0);
}
END_TEST

START_TEST(sync_ends_what_a_crash_left_behind)
{
    struct hold done = hold_mail("ABCDEA", "a@own.example", true);
    struct hold undone = hold_mail("ABCDEB", "a@own.example", true);
    struct hold refused = hold_mail("ABCDEC", "a@own.example", true);
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
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
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
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    settings.mta.helper = nowhere;
    ck_assert_int_eq(actions_sync(actions, &settings, NULL, &found, &error),
                     STATUS_UNAVAILABLE);
    expect_state(hold.id, "held");
}
END_TEST

START_TEST(pull_back_holds_one_sender)
{
    struct actions_pull recalled;
    json_t *holds;
    add_mail("ABCDEA", "deferred", "Ann+tag@OWN.example");
    add_mail("ABCDEB", "active", "ann@own.example");
    add_mail("ABCDEC", "deferred", "bob@own.example");
    add_mail("ABCDED", "hold", "ann@own.example");
    ck_assert_int_eq(pull("sender:ann@own.example", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 2);
    ck_assert_uint_eq(recalled.failed + recalled.unrecorded, 0);
    ck_assert_str_eq(get_mail(2).queue, "deferred");
    holds = hold_array(ledger, false);
    ck_assert_uint_eq(json_array_size(holds), 2);
    const json_t *first = json_array_get(holds, 0);
    ck_assert_str_eq(record_text(first, "rule"), "brake");
    ck_assert(json_is_null(json_object_get(first, "reach")));
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.known, 2);
    ck_assert_uint_eq(found.foreign, 1);
    ck_assert_uint_eq(found.ended, 0);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, record_text(first, "id")), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " arrived="));
    json_decref(holds);
}
END_TEST

/* As after FLUSHALL. */
static void forget_everything(void)
{
    actions_free(actions);
    ledger_free(ledger);
    store_close(store);
    open_store();
}

static json_t *list_holds(void)
{
    return hold_array(ledger, false);
}

START_TEST(sync_knows_again_what_was_recalled_back)
{
    char state_file[200];
    char file[220];
    struct actions_pull recalled;
    (void)snprintf(state_file, sizeof state_file, "%s.state", path);
    (void)snprintf(file, sizeof file, "%s.recalled", state_file);
    settings.store.state_file = state_file;
    settings.quarantine.max_per_incident = settings.quarantine.max_messages = 1;
    add_mail("ABCDEA", "deferred", "Ann+tag@OWN.example");
    add_mail("ABCDEB", "active", "ann@own.example");
    add_mail("ABCDEC", "active", "ann@own.example");
    ck_assert_int_eq(pull("sender:ann@own.example", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 3);
    json_t *before = list_holds();
    ck_assert_uint_eq(json_array_size(before), 3);
    move_mail(2, "active");
    add_mail("ABCDE9", "hold", "ann@own.example"); /* by somebody else */
    forget_everything();
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.restored, 2);
    ck_assert_uint_eq(found.foreign, 1);
    json_t *after = list_holds();
    ck_assert_uint_eq(json_array_size(after), 2);
    const json_t *hold = json_array_get(after, 0);
    ck_assert_str_eq(record_text(hold, "incident"),
                     record_text(json_array_get(before, 0), "incident"));
    ck_assert_str_eq(record_text(hold, "rule"), "brake");
    ck_assert(json_is_null(json_object_get(hold, "reach")));
    ck_assert_uint_eq(sync_now().known, 2);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, record_text(hold, "id")), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " arrived="));
    json_decref(before);
    json_decref(after);
    for (size_t i = 0; i < 3; i++)
        move_mail(i, "");
    (void)sync_now();
    FILE *left = fopen(file, "r");
    ck_assert_ptr_nonnull(left);
    ck_assert_int_eq(fgetc(left), EOF);
    (void)fclose(left);
    (void)unlink(file);
}
END_TEST

/* It was released, could not be delivered, and then its sender got a brake. */
START_TEST(sync_knows_a_released_message_that_was_recalled_back)
{
    struct actions_pull recalled;
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
    move_mail(0, "deferred");
    ck_assert_int_eq(pull("sender:a@own.example", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 1);
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.known, 1);
    ck_assert_uint_eq(found.restored + found.ended, 0);
    expect_state(hold.id, "released");
    json_t *holds = list_holds();
    ck_assert_uint_eq(json_array_size(holds), 1);
    ck_assert_int_eq(decide(ACTIONS_REFUSE, record_text(json_array_get(holds, 0), "id")),
                     STATUS_OK);
    json_decref(holds);
}
END_TEST

/* Where headers that came in are kept: in monitor mode, and from our relays. */
START_TEST(sync_lets_no_copy_of_a_hold_header_take_a_record)
{
    struct hold victim = hold_mail("ABCDEB", "a@own.example", true);
    for (size_t i = 1; i < 3; i++) {
        add_mail(i == 1 ? "ABCDEA" : "ABCDEC", "hold", "b@own.example");
        hold_header_mail(i, get_mail(0).header);
    }
    for (int i = 0; i < 2; i++) {
        struct actions_sync found = sync_now();
        ck_assert_uint_eq(found.known, 1);
        ck_assert_uint_eq(found.foreign, 2);
        ck_assert_uint_eq(found.restored + found.ended, 0);
    }
    ck_assert_int_eq(decide(ACTIONS_RELEASE, victim.id), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " ABCDEB "));
}
END_TEST

START_TEST(sync_keeps_records_of_a_namesake)
{
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    struct hold gone = hold_mail("ABCDEB", "a@own.example", true);
    move_mail(1, "");
    actions_set_names(actions, ACTIONS_NAMES_SHARED);
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.ended, 0);
    ck_assert_uint_eq(found.kept, 1);
    expect_state(gone.id, "held");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, gone.id), STATUS_CONFLICT);
    expect_words("another relay may also be called relay1");
    expect_state(gone.id, "held");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
    actions_set_names(actions, ACTIONS_NAMES_OWN);
    ck_assert_int_eq(actions_tidy(actions, &settings, &found, &error), STATUS_OK);
    ck_assert_uint_eq(found.ended, 1);
    expect_state(gone.id, "gone");
}
END_TEST

/* What can't be looked at is named, and stops nothing. */
START_TEST(sync_names_what_it_could_not_look_at)
{
    struct hold known = hold_mail("ABCDEA", "a@own.example", true);
    add_mail("ABCDEB", "hold", "b@own.example");
    hold_header_mail(1, "error postcat: fatal");
    add_mail("not-an-id", "hold", "b@own.example");
    struct actions_sync found = sync_now();
    ck_assert_uint_eq(found.in_queue, 3);
    ck_assert_uint_eq(found.known, 1);
    ck_assert_uint_eq(found.failed, 2);
    ck_assert_uint_eq(json_array_size(found.failures), 2);
    const json_t *first = json_array_get(found.failures, 0);
    ck_assert_str_eq(record_text(first, "queue_id"), "ABCDEB");
    ck_assert_str_eq(record_text(first, "error"), "ABCDEB: postcat: fatal");
    ck_assert_str_eq(record_text(json_array_get(found.failures, 1), "error"),
                     "not-an-id: not a queue id");
    expect_state(known.id, "held");
    actions_sync_clear(&found);
}
END_TEST

/* Whatever it looks like, and as the queue shows it. */
START_TEST(pull_back_finds_odd_senders)
{
    static const struct {
        const char *key, *shown;
    } odd[] = {
        {"sender:o'brien@own.example", "o'brien@own.example"},
        {"sender:|x@own.example", "|x@own.example"},
        {"sender:/x`id`@own.example", "/x`id`@own.example"},
        {"sender:\"a b\"@own.example", "\\\"a b\\\"@own.example"},
        {"sender:j\xc3\xbcrgen@own.example", "j\xc3\xbcrgen@own.example"},
        {"sender:j\xc3\xbcrgen@own.example", "j??rgen@own.example"},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct actions_pull recalled;
        char id[8];
        (void)snprintf(id, sizeof id, "ABCDE%zu", i);
        add_mail(id, "deferred", odd[i].shown);
        ck_assert_int_eq(pull(odd[i].key, &recalled), STATUS_OK);
        ck_assert_msg(recalled.held == 1, "%s: %s", odd[i].key, last_order());
        ck_assert_str_eq(get_mail(i).queue, "hold");
    }
    json_t *holds = list_holds();
    for (size_t i = 0; i < json_array_size(holds); i++)
        ck_assert_int_eq(
            decide(ACTIONS_REFUSE, record_text(json_array_get(holds, i), "id")),
            STATUS_OK);
    json_decref(holds);
}
END_TEST

static void add_from(size_t i, const char *login, const char *client)
{
    char id[8];
    (void)snprintf(id, sizeof id, "ABCDE%zu", i);
    add_mail(id, "active", i % 2 == 0 ? "ann@own.example" : "x@elsewhere.example");
    struct mail mail = get_mail(i);
    (void)snprintf(mail.login, sizeof mail.login, "%s", login);
    (void)snprintf(mail.client, sizeof mail.client, "%s", client);
    put_mail(i, &mail);
}

START_TEST(pull_back_knows_logins_and_clients)
{
    struct actions_pull recalled;
    add_from(0, "", "10.0.8.15");
    add_from(1, "Ann", "192.0.2.9");
    add_from(2, "ann@own.example", "10.0.8.16");
    add_from(3, "bob", "2001:db8::7");
    add_from(4, "", "");
    ck_assert_int_eq(pull("login:ann", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 2);
    ck_assert_str_eq(get_mail(1).queue, "hold");
    ck_assert_str_eq(get_mail(2).queue, "hold");
    ck_assert_int_eq(pull("client:10.0.8.0/24", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 1);
    ck_assert_str_eq(get_mail(0).queue, "hold");
    ck_assert_int_eq(pull("client:local", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 1);
    ck_assert_str_eq(get_mail(4).queue, "hold");
    ck_assert_str_eq(get_mail(3).queue, "active");
    ck_assert_int_eq(pull("client:2001:db8::/32", &recalled), STATUS_OK);
    ck_assert_uint_eq(recalled.held, 1);
}
END_TEST

START_TEST(pull_back_is_for_who_sends)
{
    static const char *const keys[] = {"all", "list:all@own.example",
                                       "domain:own.example"};
    struct actions_pull recalled;
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pull(keys[i], &recalled), STATUS_INVALID);
    settings.mta.type = MTA_SENDMAIL;
    ck_assert_int_eq(pull("login:a@own.example", &recalled), STATUS_INVALID);
    expect_words("does not say who logged in");
    ck_assert_int_eq(orders, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("actions_queue");
    TCase *cases = tcase_create("actions");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, sync_knows_restores_and_ends);
    tcase_add_test(cases, sync_keeps_little_of_each_record);
    tcase_add_test(cases, sync_ends_what_a_crash_left_behind);
    tcase_add_test(cases, sync_leaves_other_relays_alone);
    tcase_add_test(cases, sync_without_a_helper_changes_nothing);
    tcase_add_test(cases, pull_back_holds_one_sender);
    tcase_add_test(cases, sync_knows_again_what_was_recalled_back);
    tcase_add_test(cases, sync_knows_a_released_message_that_was_recalled_back);
    tcase_add_test(cases, sync_lets_no_copy_of_a_hold_header_take_a_record);
    tcase_add_test(cases, sync_keeps_records_of_a_namesake);
    tcase_add_test(cases, sync_names_what_it_could_not_look_at);
    tcase_add_test(cases, pull_back_finds_odd_senders);
    tcase_add_test(cases, pull_back_knows_logins_and_clients);
    tcase_add_test(cases, pull_back_is_for_who_sends);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
