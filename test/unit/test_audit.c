/* Every line is whole JSON, whatever was written, and nothing written is lost. */
#include "control/audit.h"
#include "run.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/mailbrake-audit-XXXXXX";
static char path[100];
static struct audit *audit;

static void setup(void)
{
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/audit.log", folder);
    audit = audit_new(path);
    ck_assert_ptr_nonnull(audit);
}

static void teardown(void)
{
    audit_free(audit);
    (void)umount(folder);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing else is left */
}

static struct audit_entry entry_at(int64_t at_ms)
{
    return (struct audit_entry){.at_ms = at_ms,
                                .uid = 1000,
                                .user = "ann",
                                .action = "release",
                                .target = "0123456789abcdef",
                                .purpose = "the principal asked",
                                .result = "ok"};
}

static void append(const struct audit_entry *entry)
{
    struct error error;
    ck_assert_int_eq(audit_append(audit, entry, &error), STATUS_OK);
}

static json_t *read_since(int64_t since_ms)
{
    struct error error;
    json_t *entries;
    ck_assert_int_eq(audit_read(audit, since_ms, &entries, &error), STATUS_OK);
    return entries;
}

static const char *field(const json_t *entries, size_t i, const char *name)
{
    return json_string_value(json_object_get(json_array_get(entries, i), name));
}

START_TEST(audit_keeps_what_it_was_told)
{
    struct audit_entry entry = entry_at(INT64_C(1753470153042));
    append(&entry);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 1);
    ck_assert_str_eq(field(entries, 0, "at"), "2025-07-25T19:02:33.042Z");
    ck_assert_str_eq(field(entries, 0, "user"), "ann");
    ck_assert_str_eq(field(entries, 0, "action"), "release");
    ck_assert_str_eq(field(entries, 0, "target"), "0123456789abcdef");
    ck_assert_str_eq(field(entries, 0, "purpose"), "the principal asked");
    ck_assert_str_eq(field(entries, 0, "result"), "ok");
    json_decref(entries);
}
END_TEST

START_TEST(audit_is_private)
{
    struct stat about;
    struct audit_entry entry = entry_at(1);
    append(&entry);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
}
END_TEST

START_TEST(audit_reads_since_and_in_order)
{
    for (int64_t at = 10; at <= 50; at += 10) {
        struct audit_entry entry = entry_at(at);
        append(&entry);
    }
    json_t *entries = read_since(30);
    ck_assert_uint_eq(json_array_size(entries), 3);
    ck_assert_str_eq(field(entries, 0, "at"), "1970-01-01T00:00:00.030Z");
    ck_assert_str_eq(field(entries, 2, "at"), "1970-01-01T00:00:00.050Z");
    json_decref(entries);
    entries = read_since(51);
    ck_assert_uint_eq(json_array_size(entries), 0);
    json_decref(entries);
}
END_TEST

START_TEST(audit_without_a_file_reads_empty)
{
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 0);
    json_decref(entries);
}
END_TEST

START_TEST(audit_without_a_path_keeps_nothing)
{
    struct error error;
    json_t *entries;
    struct audit *nowhere = audit_new(NULL);
    struct audit_entry entry = entry_at(1);
    ck_assert_int_eq(audit_append(nowhere, &entry, &error), STATUS_OK);
    ck_assert_int_eq(audit_read(nowhere, 0, &entries, &error), STATUS_OK);
    ck_assert_uint_eq(json_array_size(entries), 0);
    json_decref(entries);
    audit_free(nowhere);
}
END_TEST

/* A purpose cannot write a second line, nor reach the terminal of who reads the file. */
START_TEST(audit_lines_hold_anything)
{
    struct audit_entry entry = entry_at(1);
    char long_text[3000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    entry.purpose = "a\n{\"uid\": 0}\r\x1b[2J\xe2\x80\xae\xff\xfe \"quoted\"";
    entry.target = "<script>alert(1)</script>";
    entry.result = long_text;
    append(&entry);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 1);
    ck_assert_str_eq(field(entries, 0, "purpose"),
                     "a\n{\"uid\": 0}\r\x1b[2J\xe2\x80\xae\xef\xbf\xbd\xef\xbf\xbd "
                     "\"quoted\"");
    ck_assert_uint_eq(strlen(field(entries, 0, "result")), AUDIT_TEXT_MAX);
    json_decref(entries);

    FILE *file = fopen(path, "re");
    int c;
    int lines = 0;
    while ((c = fgetc(file)) != EOF) {
        ck_assert(c == '\n' || (c >= 0x20 && c < 0x7f));
        lines += c == '\n';
    }
    ck_assert_int_eq(lines, 1);
    (void)fclose(file);
}
END_TEST

START_TEST(audit_leaves_damaged_lines_out)
{
    struct audit_entry entry = entry_at(1);
    append(&entry);
    FILE *file = fopen(path, "ae");
    (void)fputs("{\"at_ms\": 5\nnull\n[]\n\n{\"at_ms\": \"5\"}\n", file);
    (void)fclose(file);
    append(&entry);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 2);
    json_decref(entries);
}
END_TEST

START_TEST(audit_says_when_it_cannot_write)
{
    struct error error;
    struct audit_entry entry = entry_at(1);
    struct audit *nowhere = audit_new("/no/such/folder/audit.log");
    ck_assert_int_eq(audit_append(nowhere, &entry, &error), STATUS_IO);
    ck_assert_str_eq(error.file, "/no/such/folder/audit.log");
    audit_free(nowhere);
    ck_assert_int_eq(symlink("/dev/full", path), 0); /* is not followed */
    ck_assert_int_eq(audit_append(audit, &entry, &error), STATUS_IO);
}
END_TEST

/* ---- begun and ended ---- */

static void begin(const struct audit_entry *entry, char id[DIGEST_ID_SIZE])
{
    struct error error;
    ck_assert_int_eq(audit_begin(audit, entry, id, &error), STATUS_OK);
}

static void end(const char *id, const struct audit_entry *entry)
{
    struct error error;
    ck_assert_int_eq(audit_end(audit, id, entry, &error), STATUS_OK);
}

/* As after a kill: another process opens the same file. */
static void start_anew(void)
{
    audit_free(audit);
    audit = audit_new(path);
    ck_assert_ptr_nonnull(audit);
}

static size_t count_lines(void)
{
    size_t lines = 0;
    int c;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    (void)fclose(file);
    return lines;
}

START_TEST(audit_shows_one_entry_for_what_began_and_ended)
{
    char id[DIGEST_ID_SIZE];
    struct audit_entry entry = entry_at(1);
    json_t *ids = json_pack("[s, s, s]", "aa", "bb", "cc");
    json_t *done = json_pack("[s, s]", "aa", "bb");
    json_t *failed = json_pack("[s]", "cc");
    entry.ids = ids;
    begin(&entry, id);
    ck_assert_uint_eq(count_lines(), 1);
    entry.result = "in part";
    entry.ids = done;
    entry.failed = failed;
    end(id, &entry);
    ck_assert_uint_eq(count_lines(), 2);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 1);
    ck_assert_str_eq(field(entries, 0, "result"), "in part");
    const json_t *only = json_array_get(entries, 0);
    ck_assert(json_equal(json_object_get(only, "ids"), done));
    ck_assert(json_equal(json_object_get(only, "failed"), failed));
    ck_assert_ptr_null(json_object_get(only, "end"));
    json_decref(entries);
    json_decref(ids);
    json_decref(done);
    json_decref(failed);
}
END_TEST

/* At work, or killed: another process opens the same file. */
START_TEST(audit_shows_what_has_not_ended)
{
    char id[DIGEST_ID_SIZE];
    struct audit_entry entry = entry_at(1);
    json_t *ids = json_pack("[s]", "aa");
    entry.ids = ids;
    begin(&entry, id);
    append(&entry); /* another's, looking the same */
    start_anew();
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 2);
    ck_assert_str_eq(field(entries, 0, "result"), AUDIT_NOT_ENDED);
    ck_assert_str_eq(field(entries, 0, "at"), "1970-01-01T00:00:00.001Z");
    ck_assert_str_eq(field(entries, 0, "purpose"), entry.purpose);
    ck_assert(json_equal(json_object_get(json_array_get(entries, 0), "ids"), ids));
    ck_assert_str_eq(field(entries, 1, "result"), "ok");
    json_decref(entries);
    json_decref(ids);
}
END_TEST

/* logrotate(8) may come between the two lines. */
START_TEST(audit_shows_an_end_without_its_begin)
{
    char id[DIGEST_ID_SIZE];
    struct audit_entry entry = entry_at(7);
    begin(&entry, id);
    ck_assert_int_eq(unlink(path), 0);
    end(id, &entry);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), 1);
    ck_assert_str_eq(field(entries, 0, "result"), "ok");
    ck_assert_str_eq(field(entries, 0, "target"), entry.target);
    json_decref(entries);
}
END_TEST

START_TEST(audit_begins_nothing_it_cannot_write)
{
    struct error error = {0};
    char id[DIGEST_ID_SIZE];
    struct audit_entry entry = entry_at(1);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(audit_begin(audit, &entry, id, &error), STATUS_IO);
    ck_assert_str_eq(error.file, path);
    ck_assert_int_eq(rmdir(path), 0);
    struct audit *nowhere = audit_new(NULL);
    ck_assert_int_eq(audit_begin(nowhere, &entry, id, &error), STATUS_OK);
    ck_assert_int_eq(audit_end(nowhere, id, &entry, &error), STATUS_OK);
    audit_free(nowhere);
}
END_TEST

static void fill_disk(const char *name)
{
    static const char block[4096];
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    while (fwrite(block, 1, sizeof block, file) == sizeof block && fflush(file) == 0)
        ;
    (void)fclose(file);
}

/* The first line reserves what the second needs: a disk that fills up in between does not
 * leave an action without its result. */
START_TEST(audit_minds_a_full_disk)
{
    struct error error = {0};
    char id[DIGEST_ID_SIZE];
    char filler[120];
    struct audit_entry entry = entry_at(1);
    if (mount("mailbrake-audit", folder, "tmpfs", 0, "size=512k") != 0)
        return; /* only root can */
    (void)snprintf(filler, sizeof filler, "%s/filler", folder);
    size_t written = 0;
    while (audit_begin(audit, &entry, id, &error) == STATUS_OK) {
        fill_disk(filler);
        end(id, &entry);
        ck_assert_uint_lt(++written, 10000);
    }
    ck_assert_uint_gt(written, 0);
    ck_assert_str_eq(error.text, "No space left on device");
    ck_assert_str_eq(error.file, path);
    ck_assert_int_eq(unlink(filler), 0);
    begin(&entry, id);
    end(id, &entry);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), written + 1);
    json_decref(entries);
}
END_TEST

enum { THREADS = 4, ROUNDS = 25 };

static void *append_many(void *argument)
{
    struct audit_entry entry = entry_at(1);
    (void)argument;
    for (int i = 0; i < ROUNDS; i++)
        append(&entry);
    return NULL;
}

START_TEST(audit_threads_do_not_mix_lines)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, append_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    json_t *entries = read_since(0);
    ck_assert_uint_eq(json_array_size(entries), THREADS * ROUNDS);
    json_decref(entries);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *cases = tcase_create("audit");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, audit_keeps_what_it_was_told);
    tcase_add_test(cases, audit_is_private);
    tcase_add_test(cases, audit_reads_since_and_in_order);
    tcase_add_test(cases, audit_without_a_file_reads_empty);
    tcase_add_test(cases, audit_without_a_path_keeps_nothing);
    tcase_add_test(cases, audit_lines_hold_anything);
    tcase_add_test(cases, audit_leaves_damaged_lines_out);
    tcase_add_test(cases, audit_says_when_it_cannot_write);
    tcase_add_test(cases, audit_shows_one_entry_for_what_began_and_ended);
    tcase_add_test(cases, audit_shows_what_has_not_ended);
    tcase_add_test(cases, audit_shows_an_end_without_its_begin);
    tcase_add_test(cases, audit_begins_nothing_it_cannot_write);
    tcase_add_test(cases, audit_minds_a_full_disk);
    tcase_add_test(cases, audit_threads_do_not_mix_lines);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
