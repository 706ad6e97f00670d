/* Where the key of all hashes comes from. */
#include "run.h"
#include "store/subject_key.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/mailbrake-key-XXXXXX";
static char path[100];
static char prefix[] = "mailbrake";
static char none[] = "";
static struct settings settings;
static struct digest_key key;
static struct error error;

static void begin(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/key", folder);
    settings.store.prefix = prefix;
    settings.privacy.key_file = path;
    memset(&key, 0x5a, sizeof key);
    error = (struct error){.line = -1};
}

static void end(void)
{
    (void)unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void put(const char *data, size_t length)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

static void expect_secret(const char *data, size_t length)
{
    struct digest_key wanted;
    digest_key_derive(data, length, &wanted);
    ck_assert_int_eq(subject_key_load(&settings, &key, &error), STATUS_OK);
    ck_assert_mem_eq(&key, &wanted, sizeof key);
}

static void expect_failure(enum status status, const char *text)
{
    struct digest_key before = key;
    ck_assert_int_eq(subject_key_load(&settings, &key, &error), status);
    ck_assert_mem_eq(&key, &before, sizeof key); /* nothing is written */
    ck_assert_str_eq(error.file, path);
    ck_assert_int_eq(error.line, 0);
    ck_assert_msg(strstr(error.text, text) != NULL, "%s", error.text);
}

START_TEST(key_without_file_is_the_prefix_s)
{
    settings.privacy.key_file = none;
    expect_secret("mailbrake", 9);
    settings.privacy.key_file = NULL;
    expect_secret("mailbrake", 9);
}
END_TEST

START_TEST(key_is_all_bytes_of_the_file)
{
    static const char secret[] = "0123456789abcde\0\xff\n";
    put(secret, sizeof secret - 1);
    expect_secret(secret, sizeof secret - 1);
    put(secret, KEY_FILE_BYTES_MIN);
    expect_secret(secret, KEY_FILE_BYTES_MIN);
}
END_TEST

START_TEST(key_too_short_is_invalid)
{
    put("0123456789abcde", KEY_FILE_BYTES_MIN - 1);
    expect_failure(STATUS_INVALID, "16 bytes");
    put("", 0);
    expect_failure(STATUS_INVALID, "16 bytes");
}
END_TEST

START_TEST(key_missing_or_no_file_is_io)
{
    expect_failure(STATUS_IO, "No such file");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_failure(STATUS_IO, "can't read");
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* Nobody writes to it: whoever waited would wait for ever. */
START_TEST(key_of_a_pipe_is_invalid)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_failure(STATUS_INVALID, "16 bytes");
    ck_assert_int_eq(remove(path), 0);
}
END_TEST

START_TEST(key_large_file_counts_to_its_cap)
{
    char *large = malloc(KEY_FILE_BYTES_MAX + 100);
    ck_assert_ptr_nonnull(large);
    memset(large, 'k', KEY_FILE_BYTES_MAX + 100);
    put(large, KEY_FILE_BYTES_MAX + 100);
    expect_secret(large, KEY_FILE_BYTES_MAX);
    free(large);
}
END_TEST

int main(void)
{
    if (digest_init() != STATUS_OK)
        return EXIT_FAILURE;
    Suite *suite = suite_create("key");
    TCase *cases = tcase_create("key");
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, key_without_file_is_the_prefix_s);
    tcase_add_test(cases, key_is_all_bytes_of_the_file);
    tcase_add_test(cases, key_too_short_is_invalid);
    tcase_add_test(cases, key_missing_or_no_file_is_io);
    tcase_add_test(cases, key_of_a_pipe_is_invalid);
    tcase_add_test(cases, key_large_file_counts_to_its_cap);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
