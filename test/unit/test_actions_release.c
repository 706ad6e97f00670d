/* What a release waits for: an audience that is known, and, slowly, its turn. */
#include "actions_fixture.h"

#include "policy/directory.h"
#include "quarantine/actions_release.h"
#include "run.h"

static struct directory *directory;

static void begin(void)
{
    struct problems problems = {0};
    setup();
    directory = directory_new(&settings.policy.domains);
    ck_assert_ptr_nonnull(directory);
    ck_assert_int_eq(directory_seal(directory, &problems), STATUS_OK);
}

static void end(void)
{
    directory_free(directory);
    teardown();
}

static struct snapshot current(void)
{
    return (struct snapshot){.settings = &settings, .directory = directory};
}

static struct actions_result release(const char *id, bool later)
{
    const struct snapshot snapshot = current();
    const struct release_args args = {
        .by = "ann", .reach = -1, .later = later, .deadline_us = soon()};
    struct actions_result result;
    ck_assert_msg(actions_release(actions, &snapshot, &args, &id, 1, &result, &error) ==
                      STATUS_OK,
                  "%s", error.text);
    return result;
}

START_TEST(release_waits_for_an_audience_that_cant_be_read)
{
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    blind = true;
    struct actions_result result = release(hold.id, false);
    ck_assert_int_eq(result.status, STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(result.error.text, "whom it would reach"));
    ck_assert_int_eq(orders, 0);
    expect_state(hold.id, "held");
    blind = false;
    ck_assert_int_eq(release(hold.id, false).status, STATUS_OK);
    expect_state(hold.id, "released");
}
END_TEST

static bool is_paced(const char *id)
{
    json_t *hold;
    ck_assert_int_eq(ledger_find_hold(ledger, id, soon(), &hold), STATUS_OK);
    bool paced = record_is_paced(hold);
    json_decref(hold);
    return paced;
}

START_TEST(release_later_names_what_was_reviewed)
{
    struct hold first = hold_mail("ABCDEA", "a@own.example", true);
    struct hold second = hold_mail("ABCDEB", "a@own.example", true);
    struct hold unknown = hold_mail("ABCDEC", "a@own.example", true);
    ck_assert_int_eq(release(first.id, true).status, STATUS_OK);
    ck_assert_int_eq(release(first.id, true).status, STATUS_OK);
    blind = true;
    ck_assert_int_eq(release(unknown.id, true).status, STATUS_UNAVAILABLE);
    ck_assert(is_paced(first.id));
    ck_assert(!is_paced(second.id));
    ck_assert(!is_paced(unknown.id));
    ck_assert_int_eq(release("0011223344556677", true).status, STATUS_NOT_FOUND);
    ck_assert_int_eq(orders, 0);
    expect_state(first.id, "held");
}
END_TEST

static bool is_noted(const char *id)
{
    json_t *hold;
    ck_assert_int_eq(ledger_find_hold(ledger, id, soon(), &hold), STATUS_OK);
    bool noted = record_text(hold, "audience")[0] != '\0';
    json_decref(hold);
    return noted;
}

START_TEST(release_knows_what_was_recorded_late)
{
    const struct snapshot snapshot = current();
    struct actions_noted noted = {0};
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    ck_assert_int_eq(actions_note_audiences(actions, &snapshot, &noted, soon()),
                     STATUS_OK);
    ck_assert(is_noted(hold.id));
    add_mail("ABCDED", "hold", "b@own.example");
    hold_header_mail(1,
                     "id=0011223344556677 rule=many incident=8899aabbccddeeff reach=7");
    ck_assert_uint_eq(sync_now().restored, 1);
    ck_assert(!is_noted("0011223344556677"));
    ck_assert_int_eq(actions_note_audiences(actions, &snapshot, &noted, soon()),
                     STATUS_OK);
    ck_assert(is_noted("0011223344556677"));
}
END_TEST

/* Each reaches 300 people, and one administrator may reach 400. */
static void *release_beside(void *id)
{
    static const struct actions_result none;
    struct actions_result *result = malloc(sizeof *result);
    const struct snapshot snapshot = current();
    const struct release_args args = {.by = "ann", .reach = -1, .deadline_us = soon()};
    const char *const ids[] = {id};
    struct error own;
    *result = none;
    ck_assert_int_eq(actions_release(actions, &snapshot, &args, ids, 1, result, &own),
                     STATUS_OK);
    return result;
}

START_TEST(release_needs_two_also_for_many_at_once)
{
    enum { AT_ONCE = 5 };
    pthread_t threads[AT_ONCE];
    struct hold holds[AT_ONCE];
    int released = 0;
    settings.quarantine.approve_over = 400;
    for (int i = 0; i < AT_ONCE; i++) {
        char queue_id[] = "ABCDEA";
        queue_id[5] = (char)('A' + i);
        holds[i] = hold_mail(queue_id, "a@own.example", true);
    }
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, release_beside, holds[i].id),
                         0);
    for (int i = 0; i < AT_ONCE; i++) {
        void *result;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        released += ((struct actions_result *)result)->approved_by[0] == '\0';
        free(result);
    }
    ck_assert_int_eq(released, 1);
    ck_assert_int_eq(orders, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("actions_release");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, release_waits_for_an_audience_that_cant_be_read);
    tcase_add_test(cases, release_later_names_what_was_reviewed);
    tcase_add_test(cases, release_knows_what_was_recorded_late);
    tcase_add_test(cases, release_needs_two_also_for_many_at_once);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
