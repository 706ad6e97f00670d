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
enum { AT_ONCE = 5 };

struct asking {
    struct hold hold;
    pthread_t thread;
    struct actions *actions; /* of the relay on which it is asked */
    const char *decision;
    struct actions_result result;
};

static void *release_beside(void *context)
{
    struct asking *asking = context;
    const struct snapshot snapshot = current();
    const struct release_args args = {
        .by = "ann", .reach = -1, .decision = asking->decision, .deadline_us = soon()};
    const char *const ids[] = {asking->hold.id};
    struct error own;
    ck_assert_int_eq(
        actions_release(asking->actions, &snapshot, &args, ids, 1, &asking->result, &own),
        STATUS_OK);
    return NULL;
}

static void hold_five(struct asking asking[AT_ONCE])
{
    settings.quarantine.approve_over = 400;
    for (int i = 0; i < AT_ONCE; i++) {
        char queue_id[] = "ABCDEA";
        queue_id[5] = (char)('A' + i);
        asking[i] = (struct asking){.hold = hold_mail(queue_id, "a@own.example", true),
                                    .actions = actions};
    }
}

/* How many went. */
static int release_at_once(struct asking asking[AT_ONCE])
{
    int released = 0;
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert_int_eq(
            pthread_create(&asking[i].thread, NULL, release_beside, &asking[i]), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        ck_assert_int_eq(pthread_join(asking[i].thread, NULL), 0);
        ck_assert_int_eq(asking[i].result.status, STATUS_OK);
        released += asking[i].result.approved_by[0] == '\0';
    }
    return released;
}

START_TEST(release_needs_two_also_for_many_at_once)
{
    struct asking asking[AT_ONCE];
    hold_five(asking);
    ck_assert_int_eq(release_at_once(asking), 1);
    ck_assert_int_eq(orders, 1);
}
END_TEST

/* All of these relays have the same queue, but nothing else in common than the store. */
START_TEST(release_needs_two_also_on_many_relays_at_once)
{
    struct asking asking[AT_ONCE];
    hold_five(asking);
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert_ptr_nonnull(asking[i].actions = actions_new(ledger, &key, "relay1"));
    ck_assert_int_eq(release_at_once(asking), 1);
    ck_assert_int_eq(orders, 1);
    for (int i = 0; i < AT_ONCE; i++)
        actions_free(asking[i].actions);
}
END_TEST

static enum status release_alone(struct asking *asking)
{
    (void)release_beside(asking);
    return asking->result.status;
}

/* The MTA fails: what was tried counts once, however often, and what is refused then
 * does not count any more. */
START_TEST(release_counts_what_one_may_release_once)
{
    struct asking asking[AT_ONCE];
    hold_five(asking);
    fails = true;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(release_alone(&asking[0]), STATUS_INVALID);
    fails = false;
    ck_assert_int_eq(release_alone(&asking[1]), STATUS_OK);
    ck_assert_str_eq(asking[1].result.approved_by, "ann");
    ck_assert_int_eq(decide(ACTIONS_REFUSE, asking[0].hold.id), STATUS_OK);
    ck_assert_int_eq(release_alone(&asking[2]), STATUS_OK);
    expect_state(asking[2].hold.id, "released");
    ck_assert_int_eq(release_alone(&asking[3]), STATUS_OK);
    ck_assert_str_eq(asking[3].result.approved_by, "ann");
}
END_TEST

/* What each relay releases of one decision, which reaches the same 300 people, is not
 * added up; of another one it is. */
START_TEST(release_is_one_decision_on_several_relays)
{
    struct asking asking[AT_ONCE];
    hold_five(asking);
    asking[0].decision = asking[1].decision = "0123456789abcdef";
    asking[2].decision = "fedcba9876543210";
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(release_alone(&asking[i]), STATUS_OK);
    expect_state(asking[0].hold.id, "released");
    expect_state(asking[1].hold.id, "released");
    ck_assert_str_eq(asking[2].result.approved_by, "ann");
}
END_TEST

/* Persons from to until, without the latter. */
static struct audience range(int from, int until)
{
    char address[40];
    struct audience audience = {0};
    for (int i = from; i < until; i++) {
        (void)snprintf(address, sizeof address, "p%d@own.example", i);
        audience_add_person(&audience, &key, address);
    }
    ck_assert_int_eq(audience_settle(&audience), STATUS_OK);
    return audience;
}

/* What one relay tells another: now, and when it was held. With so much room; known to
 * the other one: read? and are the numbers of before? */
static const struct {
    int now, then, room, known_from, known_until;
    enum status status;
    bool told;
} told[] = {
    {0, 0, 0, 0, 0, STATUS_OK, true},
    {100, 100, 1600, 0, 0, STATUS_OK, true},
    {100, 90, 3040, 0, 0, STATUS_OK, true},
    {20, 18, 100, 0, 0, STATUS_OK, true}, /* of so few the digest tells all */
    {3000, 3000, 1600, 0, 0, STATUS_NOT_FOUND, false},
    {3000, 3000, 1600, 0, 3000, STATUS_OK, true},
    {3000, 2990, 1600, 0, 3000, STATUS_OK, true},
    {3000, 2990, 1600, 10, 3010, STATUS_OK, true},
    {3000, 1000, 1600, 0, 3000, STATUS_OK, false},
    {3000, 3000, 1600, 1000, 4000, STATUS_NOT_FOUND, false},
};

START_TEST(release_is_reviewed_by_another_relay)
{
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        struct audience_review read;
        struct audience known = range(told[i].known_from, told[i].known_until);
        struct audience_review review = {.changed = told[i].now != told[i].then,
                                         .told = true,
                                         .now = range(0, told[i].now),
                                         .then = range(0, told[i].then)};
        json_t *text = audience_review_write(&review, &key, (size_t)told[i].room);
        ck_assert_ptr_nonnull(text);
        enum status status = audience_review_read(text, &key, &known, &read);
        ck_assert_msg(status == told[i].status, "%zu: %d", i, (int)status);
        if (status == STATUS_OK) {
            const struct audience_change change = audience_review_count(&read);
            ck_assert_int_eq((int)change.reach, told[i].now);
            ck_assert_msg(change.told == told[i].told, "%zu", i);
            if (change.told)
                ck_assert_int_eq((int)change.more, told[i].now - told[i].then);
            audience_review_clear(&read);
        }
        json_decref(text);
        audience_clear(&known);
        audience_review_clear(&review);
    }
}
END_TEST

START_TEST(release_is_not_reviewed_by_what_is_damaged)
{
    static const char *const damaged[] = {"{}", "{\"now\": 1}", "{\"now\": \"0\"}",
                                          "{\"now\": \"000000000000000x\"}",
                                          "{\"now\": \"\", \"changed\": true}"};
    static const struct audience nobody;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct audience_review read;
        json_t *text = json_loads(damaged[i], 0, NULL);
        ck_assert_int_eq(audience_review_read(text, &key, &nobody, &read),
                         STATUS_INVALID);
        json_decref(text);
    }
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
    tcase_add_test(cases, release_needs_two_also_on_many_relays_at_once);
    tcase_add_test(cases, release_counts_what_one_may_release_once);
    tcase_add_test(cases, release_is_one_decision_on_several_relays);
    tcase_add_test(cases, release_is_reviewed_by_another_relay);
    tcase_add_test(cases, release_is_not_reviewed_by_what_is_damaged);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
