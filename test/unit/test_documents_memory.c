/* Documents in memory: their cap, and how they survive a restart. */
#include "documents_fixture.h"
#include "run.h"

START_TEST(documents_in_memory_are_capped_in_bytes)
{
    static char none[] = "";
    char *value = repeated(DOCUMENTS_VALUE_MAX);
    enum status status = STATUS_OK;
    char id[16] = "";
    int count = 0;
    close_store();
    settings.state_file = none;
    open_store();
    for (; status == STATUS_OK && count < 20000; count++) {
        (void)snprintf(id, sizeof id, "%05d", count);
        status = put(COLLECTION_HOLDS, id, value);
    }
    ck_assert_int_eq(status, STATUS_LIMIT);
    ck_assert_int_eq(count - 1, DOCUMENTS_BYTES_MAX / (DOCUMENTS_VALUE_MAX + 5));
    ck_assert_int_eq(put(COLLECTION_HOLDS, "00000", NULL), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, id, value), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_ALLOWS, id, value), STATUS_OK);
    free(value);
}
END_TEST

static void reopen_store(void)
{
    close_store();
    open_store();
}

START_TEST(documents_survive_restart)
{
    char *value = repeated(DOCUMENTS_VALUE_MAX), *id = repeated(DOCUMENTS_ID_MAX);
    struct error error = {0};
    const size_t count = sizeof odd_texts / sizeof *odd_texts;
    (void)charge_some(300);
    for (int i = 0; i < COLLECTIONS; i++) {
        enum collection collection = (enum collection)i;
        for (size_t n = 0; n < count; n++)
            ck_assert_int_eq(put(collection, odd_texts[n], odd_texts[count - 1 - n]),
                             STATUS_OK);
        ck_assert_int_eq(put(collection, id, value), STATUS_OK);
        ck_assert_int_eq(put(collection, "empty", ""), STATUS_OK);
    }
    ck_assert_int_eq(put(COLLECTION_META, "empty", NULL), STATUS_OK);
    ck_assert_int_eq(store_save(store, &error), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        reopen_store();
        ck_assert_int_eq(reports.count, 0);
        ck_assert_int_eq(charge_some(0).left, 700);
        for (int i = 0; i < COLLECTIONS; i++) {
            enum collection collection = (enum collection)i;
            for (size_t n = 0; n < count; n++)
                ck_assert(is(collection, odd_texts[n], odd_texts[count - 1 - n]));
            ck_assert(is(collection, id, value));
            ck_assert(is(collection, "empty", i == COLLECTION_META ? NULL : ""));
        }
    }
    free(value);
    free(id);
}
END_TEST

static size_t read_state(char *out, size_t size)
{
    FILE *file = fopen(state_file, "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(out, 1, size - 1, file);
    out[length] = '\0';
    (void)fclose(file);
    return length;
}

static void write_state(const char *data, size_t length)
{
    FILE *file = fopen(state_file, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, length, file), length);
    (void)fclose(file);
}

/* Cut anywhere, or with any byte changed, nothing of it is believed. */
START_TEST(documents_damaged_are_set_aside)
{
    char data[4096], changed[4096];
    ck_assert_int_eq(put(COLLECTION_HOLDS, "one", "first"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_BRAKES, "two", "second"), STATUS_OK);
    close_store();
    size_t length = read_state(data, sizeof data);
    ck_assert_uint_gt(length, 60);
    for (size_t at = 18; at < length; at += 7) {
        memcpy(changed, data, length);
        changed[at] ^= 1;
        write_state(changed, at % 2 == 0 ? length : at);
        reports_forget();
        open_store();
        ck_assert_int_eq(reports_with("damaged"), 1);
        ck_assert_uint_eq(count_of(COLLECTION_HOLDS) + count_of(COLLECTION_BRAKES), 0);
        close_store();
    }
    write_state(data, length);
    open_store();
    ck_assert(is(COLLECTION_HOLDS, "one", "first"));
}
END_TEST

/* Well sealed, and yet no file of ours. */
static const char *const odd_files[] = {
    "document holds 1 1\nab\n", /* no line feed behind the id */
    "document holds 1 1\na-b\n",
    "document holds 1 1\na\nb-",
    "document holds 1 1\na\nbc\n",    /* nor behind the value */
    "document holds 1 1000\na\nb\n",  /* longer than the file */
    "document holds 0 1\n\nb\n",      /* no id */
    "document holds 257 1\na\nb\n",   /* too long an id */
    "document holds 1 16385\na\nb\n", /* too long a value */
    "document holds 1 -1\na\nb\n",    /* no length */
    "document holds 1\na\nb\n",       /* one is missing */
    "document nowhere 1 1\na\nb\n",   /* no such collection */
    "document holdsholdsholdsholds 1 1\na\nb\n",
    "document \n",
    "document holds 1 1\n",
    "document holds 99999999999999999999999 1\na\nb\n",
};

static void write_sealed(const char *header, const char *body)
{
    char data[400], hash[DIGEST_HEX_SIZE];
    (void)snprintf(data, sizeof data, "%s%s", header, body);
    size_t length = strlen(data);
    digest_hex(&key, data, length, hash);
    (void)snprintf(data + length, sizeof data - length, "seal %s\n", hash);
    write_state(data, strlen(data));
}

START_TEST(documents_believe_no_odd_file)
{
    close_store();
    for (size_t i = 0; i < sizeof odd_files / sizeof *odd_files; i++) {
        char body[400];
        (void)snprintf(body, sizeof body, "document allows 2 3\nid\nval\n%s",
                       odd_files[i]);
        write_sealed("mailbrake-state 4\n", body);
        reports_forget();
        open_store();
        ck_assert_msg(reports_with("damaged") == 1, "case %zu", i);
        ck_assert_uint_eq(count_of(COLLECTION_ALLOWS), 0);
        close_store();
    }
    write_sealed("mailbrake-state 4\n", "document allows 2 3\nid\nval\n");
    reports_forget();
    open_store();
    ck_assert_int_eq(reports.count, 0);
    ck_assert(is(COLLECTION_ALLOWS, "id", "val"));
}
END_TEST

/* A file of before documents had terms: what they were in is still known. */
START_TEST(documents_begin_with_an_older_file)
{
    close_store();
    write_sealed("mailbrake-state 4\n", "document open 2 3\nid\nval\n");
    open_store();
    ck_assert_int_eq(reports.count, 0);
    ck_assert(is(COLLECTION_OLD_OPEN, "id", "val"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("documents_memory");
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, setup_memory, teardown_memory);
    tcase_set_timeout(memory, 30);
    tcase_add_test(memory, documents_in_memory_are_capped_in_bytes);
    tcase_add_test(memory, documents_survive_restart);
    tcase_add_test(memory, documents_damaged_are_set_aside);
    tcase_add_test(memory, documents_believe_no_odd_file);
    tcase_add_test(memory, documents_begin_with_an_older_file);
    suite_add_tcase(suite, memory);

    return run_suite(suite);
}
