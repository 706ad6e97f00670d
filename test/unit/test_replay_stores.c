/* Every scenario of test/replay, with the sample configuration, in both stores: the
 * engine's own, and a private redis-server whose clock is set to each message's time. The
 * verdicts are the same, to the message, and what a scenario expects comes true. Redis
 * sees whole those that are not too large for it, where that is fast. */
#include <glob.h>
#include <sys/mman.h>

#include "../support/redis_server.h"
#include "../support/replay_files.h"
#include "../support/reports.h"

#include "base/clock.h"
#include "run.h"

#define SAMPLE SOURCE_DIR "/conf/mailbrake.conf"
#define SCENARIOS SOURCE_DIR "/test/replay/*.scenario"

/* Of a scenario that both stores play whole. */
#ifdef REPLAY_IN_FULL
enum { WHOLE_MAX = 60000 };
#else
enum { WHOLE_MAX = 0 };
#endif

static glob_t scenarios;

/* ---- the shared store on a clock that is set ---- */

struct shared {
    struct server server;
    struct store *store;
    char clock_path[64];
    _Atomic int64_t *clock_us;
};

static void shared_set(struct shared *shared, int64_t now_ms)
{
    *shared->clock_us = now_ms * 1000;
}

static void shared_open(struct shared *shared, int64_t now_ms)
{
    struct error error = {0};
    struct digest_key key;
    (void)snprintf(shared->clock_path, sizeof shared->clock_path,
                   "/tmp/mailbrake-clock-XXXXXX");
    int fd = mkstemp(shared->clock_path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof *shared->clock_us), 0);
    shared->clock_us =
        mmap(NULL, sizeof *shared->clock_us, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(shared->clock_us != MAP_FAILED);
    (void)close(fd);
    shared_set(shared, now_ms);
    ck_assert_int_eq(setenv("LD_PRELOAD", SET_CLOCK, 1), 0);
    ck_assert_int_eq(setenv("SET_CLOCK_FILE", shared->clock_path, 1), 0);
    server_open(&shared->server, "--maxmemory-policy", "noeviction");
    ck_assert_int_eq(unsetenv("LD_PRELOAD"), 0);
    digest_key_derive("test", 4, &key);
    struct store_settings settings = reports_settings(shared->server.socket);
    settings.timeout_ms = 10000;
    settings.on_failure = ON_FAILURE_TEMPFAIL; /* no local share: Redis alone */
    ck_assert_msg(store_open(&settings, &key, reporter, &shared->store, &error) ==
                      STATUS_OK,
                  "%s", error.text);
    ck_assert_int_eq(store_state(shared->store), STORE_STATE_OK);
}

static void shared_close(struct shared *shared)
{
    store_close(shared->store);
    server_close(&shared->server);
    (void)munmap(shared->clock_us, sizeof *shared->clock_us);
    (void)unlink(shared->clock_path);
}

static enum status shared_charge(void *context, const struct plan *plan, int64_t now_ms,
                                 struct charge_outcome *out_outcomes,
                                 enum charge_source *out_source)
{
    struct shared *shared = context;
    shared_set(shared, now_ms);
    enum status status = store_charge(
        shared->store, plan->charges, plan->charge_count, plan->mode,
        clock_monotonic_us() + 30 * INT64_C(1000000), out_outcomes, out_source);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(*out_source, CHARGE_SOURCE_REDIS);
    return status;
}

/* ---- two streams of verdicts ---- */

/* What there is to say of a verdict: enough to tell two apart. */
struct fate {
    uint16_t decider;
    uint8_t action, cause;
};

struct stream {
    struct fate *fates;
    size_t count, capacity; /* recording; then comparing against them */
    bool compares;
    const char *name;
};

static enum status take(void *context, const struct replay_outcome *outcome)
{
    struct stream *stream = context;
    const struct fate fate = {.decider = (uint16_t)outcome->decider,
                              .action = (uint8_t)outcome->verdict->action,
                              .cause = (uint8_t)outcome->verdict->cause};
    if (stream->compares) {
        const struct fate *other = &stream->fates[stream->count++];
        ck_assert_msg(memcmp(other, &fate, sizeof fate) == 0,
                      "%s: message %lld: memory says %u by %u for %u, Redis %u by %u "
                      "for %u",
                      stream->name, (long long)outcome->message->number, other->action,
                      other->decider, other->cause, fate.action, fate.decider,
                      fate.cause);
        return STATUS_OK;
    }
    if (stream->count == stream->capacity) {
        stream->capacity = stream->capacity == 0 ? 1024 : 2 * stream->capacity;
        stream->fates =
            reallocarray(stream->fates, stream->capacity, sizeof *stream->fates);
        ck_assert_ptr_nonnull(stream->fates);
    }
    stream->fates[stream->count++] = fate;
    return STATUS_OK;
}

static void run(const struct scenario *scenario, struct snapshot *snapshot,
                const struct charger *charger, struct stream *stream)
{
    struct report report;
    struct error error = {0};
    const struct replay replay = {.input = {.snapshot = snapshot},
                                  .scenario = scenario,
                                  .charger = charger,
                                  .each = take,
                                  .context = stream};
    ck_assert_msg(replay_run(&replay, &report, &error) == STATUS_OK, "%s:%d: %s",
                  error.file, error.line, error.text);
    for (size_t i = 0; i < scenario->expectation_count; i++)
        ck_assert_msg(report.checks[i].met, "%s:%d: %s: it is %lld, not %lld",
                      scenario->file, scenario->expectations[i].line,
                      scenario->expectations[i].text, (long long)report.checks[i].found,
                      (long long)report.checks[i].bound);
    report_clear(&report);
}

/* What makes the large ones small enough for Redis. */
static const struct {
    const char *scenario;
    const char *given[3];
} smaller[] = {
    {"attack-burst", {"attempts=4000"}},
    {"attack-mute", {"attempts=600"}},
    {"attack-null", {"attempts=400"}},
    {"attack-phishing", {"stolen=100", "answers=1500", "pupils=5000"}},
    {"attack-places", {"days=8"}},
    {"attack-small-lists", {"attempts=800"}},
    {"attack-tags", {"buried=40"}},
    {"attack-verp", {"weeks=4", "attempts=5000"}},
    {"auto-replies", {"answers=2000"}},
    {"month", {"part=100"}},
    {"palo-alto-a", {"crowd=2000"}},
    {"palo-alto-b1", {"crowd=2000"}},
    {"palo-alto-b2", {"crowd=2000"}},
    {"palo-alto-c-login", {"pupils=100", "crowd=2000"}},
    {"palo-alto-c", {"pupils=100", "crowd=2000"}},
    {"right", {"attempts=1200"}},
    {"seattle-b", {"weeks=20"}},
    {"seattle-c", {"weeks=20"}},
    {"seattle-weekly", {"grown=700"}},
};

static void make_smaller(const char *path, struct scenario_options *options)
{
    const char *name = strrchr(path, '/') + 1;
    for (size_t i = 0; i < sizeof smaller / sizeof *smaller; i++) {
        if (strncmp(smaller[i].scenario, name, strcspn(name, ".")) != 0 ||
            strlen(smaller[i].scenario) != strcspn(name, "."))
            continue;
        options->given = smaller[i].given;
        while (options->given_count < 3 && smaller[i].given[options->given_count] != NULL)
            options->given_count++;
    }
}

/* Those of more than whole_max messages are made smaller. */
static void load(const char *path, int64_t whole_max, struct scenario *scenario,
                 struct snapshot **snapshot)
{
    struct problems problems = {0};
    struct scenario_options options = {.domain = "district.example"};
    enum status status = scenario_load(path, &options, scenario, &problems);
    if (status == STATUS_OK && scenario->messages > whole_max) {
        make_smaller(path, &options);
        scenario_clear(scenario);
        status = scenario_load(path, &options, scenario, &problems);
    }
    if (status == STATUS_OK)
        status = replay_load(SAMPLE, scenario, &problems, snapshot);
    ck_assert_msg(status == STATUS_OK, "%s", problems_text(&problems));
    problems_clear(&problems);
}

static const char *path_of(int i)
{
    return scenarios.gl_pathv[i];
}

START_TEST(both_stores_say_the_same)
{
    struct scenario scenario;
    struct snapshot *snapshot = NULL;
    struct shared shared = {0};
    struct stream stream = {.name = path_of(_i)};
    load(path_of(_i), WHOLE_MAX, &scenario, &snapshot);

    struct simulated *simulated = simulated_new();
    ck_assert_ptr_nonnull(simulated);
    const struct charger memory = simulated_charger(simulated);
    run(&scenario, snapshot, &memory, &stream);
    simulated_free(simulated);

    shared_open(&shared, scenario.start_ms);
    const struct charger redis = {.charge = shared_charge, .context = &shared};
    stream.capacity = stream.count;
    stream.count = 0;
    stream.compares = true;
    run(&scenario, snapshot, &redis, &stream);
    ck_assert_uint_eq(stream.count, stream.capacity);
    shared_close(&shared);

    free(stream.fates);
    snapshot_unref(snapshot);
    scenario_clear(&scenario);
}
END_TEST

/* As large as it was. */
START_TEST(expectations_come_true_in_full)
{
    struct scenario scenario;
    struct snapshot *snapshot = NULL;
    struct stream stream = {.name = path_of(_i)};
    load(path_of(_i), INT64_MAX, &scenario, &snapshot);
    struct simulated *simulated = simulated_new();
    ck_assert_ptr_nonnull(simulated);
    const struct charger memory = simulated_charger(simulated);
    run(&scenario, snapshot, &memory, &stream);
    simulated_free(simulated);
    free(stream.fates);
    snapshot_unref(snapshot);
    scenario_clear(&scenario);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay_stores");
    TCase *tests = tcase_create("replay_stores");
    if (digest_init() != STATUS_OK || glob(SCENARIOS, 0, NULL, &scenarios) != 0)
        return 1;
    int count = (int)scenarios.gl_pathc;
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, both_stores_say_the_same, 0, count);
#ifdef REPLAY_IN_FULL
    tcase_add_loop_test(tests, expectations_come_true_in_full, 0, count);
#else
    (void)expectations_come_true_in_full;
#endif
    suite_add_tcase(suite, tests);
    int result = run_suite(suite);
    globfree(&scenarios);
    return result;
}
