/* The last good members, in memory and on disk. */
#include "lists/catalog.h"

#include <dirent.h>

#include "lists/cache.h"
#include "lists/lookup_table.h"
#include "lists_fixture.h"
#include "run.h"

static struct problems problems;
static struct catalog *catalog;
static char path[] = "/etc/aliases";
static const struct list_source source = {.kind = LIST_ALIASES, .path = path};

static const char *kept(void)
{
    return in_folder("kept");
}

static void setup(void)
{
    folder_make();
    catalog = catalog_new(kept());
    ck_assert_ptr_nonnull(catalog);
}

static void teardown(void)
{
    catalog_free(catalog);
    problems_clear(&problems);
    folder_remove();
}

static void restart(void)
{
    catalog_free(catalog);
    catalog = catalog_new(kept());
    ck_assert_ptr_nonnull(catalog);
}

static const struct domains domains; /* none */

/* The text as an alias file in the folder, read well. */
static struct source_read read_of(const char *text, int64_t now_ms)
{
    struct file file = {.data = strdup(text), .length = strlen(text)};
    struct source_read read = {.at_ms = now_ms};
    struct problems ignored = {0};
    ck_assert_int_eq(
        lookup_table_read_aliases(&file, in_folder("aliases"), &read.entries, &ignored),
        STATUS_OK);
    file_clear(&file);
    problems_clear(&ignored);
    return read;
}

static void store(const char *text, int64_t now_ms)
{
    struct source_read read = read_of(text, now_ms);
    ck_assert_int_eq(catalog_take(catalog, &source, &domains, &read, &problems),
                     STATUS_OK);
}

/* A read that failed for a reason. */
static void fail_to_read(const char *reason, int64_t now_ms)
{
    struct source_read read = {.status = STATUS_UNAVAILABLE, .at_ms = now_ms};
    (void)error_set(&read.error, read.status, "%s", reason);
    ck_assert_int_eq(catalog_take(catalog, &source, &domains, &read, &problems),
                     STATUS_OK);
}

static const char *last(int64_t *out_read_at_ms)
{
    struct entries *entries;
    enum status status =
        catalog_last(catalog, &source, &problems, &entries, out_read_at_ms);
    if (status == STATUS_NOT_FOUND)
        return "nothing";
    ck_assert_int_eq(status, STATUS_OK);
    return entries_shown(entries);
}

static const char *cache_path(void)
{
    char name[CACHE_NAME_SIZE];
    static char whole[300];
    cache_name(&source, name);
    (void)snprintf(whole, sizeof whole, "%s/%s", kept(), name);
    return whole;
}

static int files_kept(void)
{
    DIR *dir = opendir(kept());
    int count = 0;
    if (dir == NULL)
        return 0;
    for (const struct dirent *file; (file = readdir(dir)) != NULL;)
        count += file->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

#define TEXT "a: b\n\"c d\": e, |f\n@: x\ng: :include:inc\n"
#define SHOWN "a: b; \"c d\": [e =|f]; g: [one two]"

START_TEST(catalog_knows_nothing_at_first)
{
    int64_t at = 7;
    ck_assert_str_eq(last(&at), "nothing");
    ck_assert_int_eq(at, 7);
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(catalog_keeps_the_last_reading)
{
    int64_t at;
    file_put("inc", "one\ntwo\n");
    store("old: x\n", 1000);
    store(TEXT, 2000);
    ck_assert_str_eq(last(&at), SHOWN);
    ck_assert_int_eq(at, 2000);
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(catalog_outlives_a_restart)
{
    int64_t at;
    struct stat seen;
    file_put("inc", "one\ntwo\n");
    store(TEXT, 1700000000123);
    restart();
    ck_assert_str_eq(last(&at), SHOWN);
    ck_assert_int_eq(at, 1700000000123);
    ck_assert_int_eq(stat(cache_path(), &seen), 0);
    ck_assert_uint_eq(seen.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(kept(), &seen), 0);
    ck_assert_uint_eq(seen.st_mode & 07777, 0700);
    ck_assert_int_eq(files_kept(), 1);
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(catalog_same_again_is_only_touched)
{
    struct stat first, second, third;
    int64_t at;
    store("a: b, c\n", 1000000);
    ck_assert_int_eq(stat(cache_path(), &first), 0);
    store("a: b, c\n", 2000000);
    ck_assert_int_eq(stat(cache_path(), &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    restart();
    ck_assert_str_eq(last(&at), "a: [b c]");
    ck_assert_int_eq(at, 2000000);
    store("a: b, c\n", 3000000);
    ck_assert_int_eq(stat(cache_path(), &third), 0);
    ck_assert_uint_eq(first.st_ino, third.st_ino);
    ck_assert_int_eq(third.st_mtim.tv_sec, 3000);

    ck_assert_int_eq(unlink(cache_path()), 0); /* by somebody else */
    store("a: b, c\n", 4000000);
    ck_assert_int_eq(stat(cache_path(), &third), 0);
}
END_TEST

START_TEST(catalog_failed_entry_keeps_its_members)
{
    int64_t at;
    file_put("inc", "one\ntwo\n");
    store("a: :include:inc\nb: c, d\n", 1000);
    ck_assert_int_eq(unlink(in_folder("inc")), 0);
    store("a: z, :include:inc\nb: e, f\nn: :include:inc\n", 2000);
    ck_assert_str_eq(last(&at), "a!: [one two]; b: [e f]; n!: []");
    store("a: :include:inc\nb: e, f\nn: y, :include:inc\n", 3000);
    restart();
    ck_assert_str_eq(last(&at), "a!: [one two]; b: [e f]; n!: [y]");
    struct entries *entries;
    ck_assert_int_eq(catalog_last(catalog, &source, &problems, &entries, &at), STATUS_OK);
    ck_assert_int_eq(at, 3000);
    ck_assert_int_eq(entries_find(entries, "a")->read_at_ms, 1000);
    ck_assert_int_eq(entries_find(entries, "n")->read_at_ms, 0);

    file_put("inc", "three\n");
    store("a: :include:inc\n", 4000);
    ck_assert_str_eq(last(&at), "a: [three]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

/* Cuts the kept file, or changes one of its bytes. */
static void damage(long length, long flip)
{
    FILE *file = fopen(cache_path(), "r+");
    ck_assert_ptr_nonnull(file);
    if (flip >= 0) {
        ck_assert_int_eq(fseek(file, flip, SEEK_SET), 0);
        int byte = fgetc(file);
        ck_assert_int_eq(fseek(file, flip, SEEK_SET), 0);
        ck_assert_int_ge(fputc(byte ^ 1, file), 0);
    }
    ck_assert_int_eq(fclose(file), 0);
    if (length >= 0)
        ck_assert_int_eq(truncate(cache_path(), length), 0);
    file_age(cache_path(), 100);
}

START_TEST(catalog_torn_file_is_ignored)
{
    int64_t at;
    struct stat seen;
    store("a: b, c\n", 1700000000000);
    ck_assert_int_eq(stat(cache_path(), &seen), 0);
    long size = (long)seen.st_size;
    for (long i = 0; i < 2 * size; i++) {
        bool cut = i >= size;
        damage(cut ? i - size : -1, cut ? -1 : i);
        restart();
        ck_assert_str_eq(last(&at), "nothing");
        ck_assert_uint_eq(problems.warnings, 1);
        ck_assert(problems_hold(&problems, "incomplete"));
        problems_clear(&problems);
        store("a: b, c\n", 1700000000000); /* and is replaced by the next good read */
        restart();
        ck_assert_str_eq(last(&at), "a: [b c]");
    }
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(catalog_of_another_source_is_not_taken)
{
    struct list_source other = source;
    struct cache_found found;
    struct error error;
    static char elsewhere[] = "/etc/aliaseS";
    store("a: b, c\n", 1000);
    ck_assert_int_eq(cache_read(cache_path(), &source, &found, &error), STATUS_OK);
    entries_clear(&found.entries);
    other.path = elsewhere;
    ck_assert_int_eq(cache_read(cache_path(), &other, &found, &error), STATUS_INVALID);
    other = source;
    other.kind = LIST_VIRTUAL;
    ck_assert_int_eq(cache_read(cache_path(), &other, &found, &error), STATUS_INVALID);
}
END_TEST

START_TEST(catalog_without_folder)
{
    int64_t at;
    catalog_free(catalog);
    catalog = catalog_new(NULL);
    store("a: b, c\n", 1000);
    ck_assert_str_eq(last(&at), "a: [b c]");
    ck_assert_int_eq(files_kept(), 0);
}
END_TEST

START_TEST(catalog_folder_that_cannot_be_made_warns)
{
    int64_t at;
    file_put("kept", "in the way\n");
    store("a: b, c\n", 1000);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_uint_ge(problems.warnings, 1);
    ck_assert_str_eq(last(&at), "a: [b c]");
}
END_TEST

START_TEST(catalog_sweep_forgets_what_is_not_configured)
{
    int64_t at;
    struct list_source sources[] = {source};
    struct settings settings = {.lists = sources, .list_count = 1};
    store("a: b, c\n", 1000);
    (void)fclose(fopen(in_folder("kept/notes.txt"), "w"));
    catalog_sweep(catalog, &settings);
    ck_assert_int_eq(files_kept(), 2);
    ck_assert(catalog_knows(catalog, &source));
    ck_assert_str_eq(last(&at), "a: [b c]");
    sources[0].kind = LIST_VIRTUAL;
    catalog_sweep(catalog, &settings);
    ck_assert_int_eq(files_kept(), 1); /* what is not ours stays */
    ck_assert(!catalog_knows(catalog, &source));
    ck_assert_str_eq(last(&at), "nothing");
}
END_TEST

/* Members of before that count on are lent until all of a read fits. */
START_TEST(catalog_read_past_a_cap_is_a_failed_one)
{
    int64_t at;
    struct list_source shrinking = source;
    shrinking.max_growth = 2000;
    shrinking.max_age_ms = 100000;
    file_put("inc", "one\ntwo\n");
    store("a: b, c, d\nf: :include:inc\n", 1000);
    ck_assert_int_eq(unlink(in_folder("inc")), 0);
    static const char *const texts[] = {"a:\n", "a: b, c, d\nf: :include:inc\n"};
    for (size_t i = 0; i < 2; i++) {
        struct source_read read = read_of(texts[i], 2000);
        read.entries.bytes = ENTRIES_BYTES_MAX - 1;
        ck_assert_int_eq(catalog_take(catalog, &shrinking, &domains, &read, &problems),
                         STATUS_OK);
        ck_assert_str_eq(last(&at), "a: [b c d]; f: [one two]");
        ck_assert_int_eq(at, 1000);
        const struct source_read *how = catalog_last_read(catalog, &source);
        ck_assert_int_eq(how->status, STATUS_LIMIT);
        ck_assert_ptr_nonnull(strstr(how->error.text, "too many entries"));
    }
}
END_TEST

/* What failed once more needs no new directory. */
START_TEST(catalog_says_what_is_news)
{
    struct list_source aging = source;
    aging.max_age_ms = 5000;
    fail_to_read("refused", 500);
    ck_assert(catalog_is_news(catalog, &source));
    store("a: b, c\n", 1000);
    ck_assert(catalog_is_news(catalog, &source));
    fail_to_read("refused after 12 ms", 2000);
    ck_assert(catalog_is_news(catalog, &source));
    fail_to_read("refused after 3 ms", 3000);
    ck_assert(!catalog_is_news(catalog, &source));
    fail_to_read("its certificate expired", 4000);
    ck_assert(catalog_is_news(catalog, &source));
    struct source_read read = {.status = STATUS_UNAVAILABLE, .at_ms = 6001};
    (void)error_set(&read.error, read.status, "its certificate expired");
    ck_assert_int_eq(catalog_take(catalog, &aging, &domains, &read, &problems),
                     STATUS_OK);
    ck_assert(catalog_is_news(catalog, &source)); /* its members are too old now */
}
END_TEST

/* As the version before wrote it: a shrunk entry's members were those it had. */
START_TEST(catalog_takes_a_file_of_version_2)
{
    static const char records[] = "1 12 3\n/etc/aliases\n"
                                  "1 0 0 0 1 9\n"
                                  "ab@x.y\0Ac\0\n"
                                  "2 0 2 700 12 6\n"
                                  "2027-parentsAd\0Ae\0\n"
                                  "3 1 1 800 1 3\n"
                                  "fAg\0\n";
    static const struct digest_key no_key;
    struct text text = {0};
    struct entries *entries;
    char checksum[DIGEST_HEX_SIZE];
    int64_t at;
    digest_hex(&no_key, records, sizeof records - 1, checksum);
    text_printf(&text, "mailbrake-members 2 %s\n", checksum);
    text_add(&text, records, sizeof records - 1);
    ck_assert_int_eq(mkdir(kept(), 0700), 0);
    char name[CACHE_NAME_SIZE + 8];
    (void)snprintf(name, sizeof name, "kept/%s", strrchr(cache_path(), '/') + 1);
    file_put_bytes(name, text.data, text.length);
    text_clear(&text);
    ck_assert_str_eq(last(&at), "a: [b@x.y c]; 2027-parents: []; f!: [g]");
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_int_eq(catalog_last(catalog, &source, &problems, &entries, &at), STATUS_OK);
    const struct entry *shrunk = entries_find(entries, "2027-parents");
    ck_assert_uint_eq(shrunk->kept.count, 2);
    ck_assert_int_eq(shrunk->read_at_ms, 700);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tests = tcase_create("catalog");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, catalog_knows_nothing_at_first);
    tcase_add_test(tests, catalog_keeps_the_last_reading);
    tcase_add_test(tests, catalog_outlives_a_restart);
    tcase_add_test(tests, catalog_same_again_is_only_touched);
    tcase_add_test(tests, catalog_failed_entry_keeps_its_members);
    tcase_add_test(tests, catalog_torn_file_is_ignored);
    tcase_add_test(tests, catalog_of_another_source_is_not_taken);
    tcase_add_test(tests, catalog_without_folder);
    tcase_add_test(tests, catalog_folder_that_cannot_be_made_warns);
    tcase_add_test(tests, catalog_sweep_forgets_what_is_not_configured);
    tcase_add_test(tests, catalog_read_past_a_cap_is_a_failed_one);
    tcase_add_test(tests, catalog_says_what_is_news);
    tcase_add_test(tests, catalog_takes_a_file_of_version_2);
    suite_add_tcase(suite, tests);

    return run_suite(suite);
}
