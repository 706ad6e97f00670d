/* Mailman's REST answers, from a server that is a table. */
#include "lists/mailman.h"

#include "lists_fixture.h"
#include "run.h"

#define FIND(list, role) "/members/find?list_id=" list "&role=" role "&fields=email"
#define NONE "{\"start\": 0, \"total_size\": 0}"
#define EMAIL(address) "{\"email\": \"" address "\", \"http_etag\": \"x\"}"
#define LIST(name, count)                                                                \
    "{\"fqdn_listname\": \"" name "@l.example\", \"list_id\": \"" name ".l.example\", "  \
    "\"member_count\": " count "}"

static struct problems problems;
static struct error error;
static struct entries entries;
static struct mailman_counts counts;
static struct text served;  /* the paths asked for */
static const char *changed; /* an answer instead of the table's */
static const char *changed_path;
static bool old;      /* before there was a delivery_status to ask for */
static size_t cut_at; /* bytes of all answers together before the connection is lost */

static const struct answer {
    const char *path, *json;
} answers[] = {
    {"/lists?count=1000&page=1", "{\"start\": 0, \"total_size\": 2, \"entries\": [" LIST(
                                     "class", "3") ", " LIST("big", "2001") "]}"},
    {FIND("class.l.example", "member") "&delivery_status=enabled",
     "{\"start\": 0, \"total_size\": 2, \"entries\": [" EMAIL("a@x.example") ", " EMAIL(
         "b@x.example") "]}"},
    {FIND("class.l.example", "owner") "&delivery_status=enabled",
     "{\"start\": 0, \"total_size\": 1, \"entries\": [" EMAIL("o@x.example") "]}"},
    {FIND("class.l.example", "moderator") "&delivery_status=enabled",
     "{\"start\": 0, \"total_size\": 2, \"entries\": [" EMAIL("o@x.example") ", " EMAIL(
         "m@x.example") "]}"},
    {FIND("big.l.example", "owner") "&delivery_status=enabled", NONE},
    {FIND("big.l.example", "moderator") "&delivery_status=enabled", NONE},
};

/* Pages of a list of total members, as for big. */
static json_t *make_page(size_t page, size_t total)
{
    json_t *list = json_array();
    for (size_t i = (page - 1) * MAILMAN_PAGE; i < page * MAILMAN_PAGE && i < total;
         i++) {
        char email[40];
        (void)snprintf(email, sizeof email, "p%zu@x.example", i);
        json_array_append_new(list, json_pack("{s:s}", "email", email));
    }
    return json_pack("{s:I,s:I,s:o}", "start", (json_int_t)((page - 1) * MAILMAN_PAGE),
                     "total_size", (json_int_t)total, "entries", list);
}

static const char *find_answer(const char *path)
{
    if (changed != NULL && strcmp(path, changed_path) == 0)
        return changed;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (strcmp(path, answers[i].path) == 0)
            return answers[i].json;
    }
    return NULL;
}

static enum status ask(void *context, const char *path, json_t **out,
                       struct error *failure)
{
    static const char big[] = FIND("big.l.example", "member") "&count=1000&page=";
    const size_t *sizes = context; /* of big, request by request */
    static size_t asked;
    if (served.length == 0)
        asked = 0;
    text_printf(&served, "%s\n", path);
    const char *json = find_answer(path);
    if (old && strstr(path, "delivery_status") != NULL)
        json = NULL;
    else if (old && json == NULL && strncmp(path, big, sizeof big - 1) != 0)
        json = NONE;
    if (json == NULL && strncmp(path, big, sizeof big - 1) == 0) {
        *out = make_page((size_t)atoi(path + sizeof big - 1), sizes[asked]);
        asked += sizes[asked + 1] != 0;
        return STATUS_OK;
    }
    if (json == NULL)
        return error_set(failure, STATUS_INVALID, "400 for %s", path);
    size_t length = strlen(json) < cut_at ? strlen(json) : cut_at;
    cut_at -= length;
    *out = json_loadb(json, length, 0, NULL);
    return *out != NULL ? STATUS_OK : error_set(failure, STATUS_UNAVAILABLE, "cut");
}

static enum status read_of_size(const size_t *sizes)
{
    size_t copy[16];
    memcpy(copy, sizes, sizeof copy);
    const struct mailman_server server = {.ask = ask, .context = copy};
    text_reset(&served);
    problems_clear(&problems);
    entries_clear(&entries);
    error = (struct error){0};
    return mailman_read(&server, &entries, &problems, &counts, &error);
}

static const size_t steady[16] = {2001};

static void setup(void)
{
    cut_at = SIZE_MAX;
    changed = NULL;
    old = false;
}

static void teardown(void)
{
    entries_clear(&entries);
    problems_clear(&problems);
    text_clear(&served);
}

static size_t members_of(const char *key)
{
    const struct entry *entry = entries_find(&entries, key);
    ck_assert_ptr_nonnull(entry);
    return entry->members.count;
}

START_TEST(mailman_lists_members_and_owners)
{
    ck_assert_int_eq(read_of_size(steady), STATUS_OK);
    ck_assert_uint_eq(entries.count, 4);
    ck_assert_uint_eq(members_of("class@l.example"), 2); /* the third gets nothing */
    ck_assert_uint_eq(members_of("class-owner@l.example"), 3);
    ck_assert_uint_eq(members_of("big@l.example"), 2001);
    ck_assert_uint_eq(members_of("big-owner@l.example"), 1);
    ck_assert_int_eq(entries_find(&entries, "class@l.example")->kind, ENTRY_LIST);
    ck_assert_int_eq(entries_find(&entries, "big-owner@l.example")->kind, ENTRY_SELF);
    ck_assert_uint_eq(counts.lists, 2);
    ck_assert_uint_eq(counts.members, 2003);
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_ptr_nonnull(strstr(text_string(&served), "page=3\n"));
    ck_assert_ptr_null(strstr(text_string(&served), "page=4\n"));
}
END_TEST

START_TEST(mailman_of_old_tells_no_delivery_status)
{
    old = true;
    changed_path = FIND("class.l.example", "member") "&count=1000&page=1";
    changed = "{\"start\": 0, \"total_size\": 3, \"entries\": [" EMAIL("a@x") "," EMAIL(
        "b@x") "," EMAIL("c@x") "]}";
    ck_assert_int_eq(read_of_size(steady), STATUS_OK);
    ck_assert_uint_eq(members_of("class@l.example"), 3);
    ck_assert_uint_eq(members_of("class-owner@l.example"), 1);
}
END_TEST

START_TEST(mailman_page_that_changed_is_read_again)
{
    static const struct {
        size_t sizes[16];
        size_t members;
    } cases[] = {
        {{2001, 2001, 2001}, 2001},
        {{2001, 2000, 2000, 2000}, 2000},
        {{2001, 2002, 2002, 2002, 2002}, 2002},
        {{2001, 2001, 1500, 1500, 1500}, 1500},
        {{2001, 2000, 2001, 2000, 2002, 2003, 2004}, 0}, /* changes all the time */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum status status = read_of_size(cases[i].sizes);
        ck_assert_int_eq(status, cases[i].members == 0 ? STATUS_UNAVAILABLE : STATUS_OK);
        if (status == STATUS_OK)
            ck_assert_uint_eq(members_of("big@l.example"), cases[i].members);
        else
            ck_assert_ptr_nonnull(strstr(error.text, "changes all the time"));
    }
}
END_TEST

START_TEST(mailman_half_an_answer_is_a_failed_read)
{
    static const char lists[] = "/lists?count=1000&page=1";
    static const char members[] =
        FIND("class.l.example", "member") "&delivery_status=enabled";
    static const struct {
        const char *path, *json, *why;
    } cases[] = {
        {lists, "[]", "no start"},
        {lists, "{}", "no start"},
        {lists, "{\"start\": 0, \"total_size\": 1}", "entries are missing"},
        {lists, "{\"start\": 0, \"total_size\": -1}", "no start"},
        {lists, "{\"start\": 0, \"total_size\": 1, \"entries\": {}}", "are missing"},
        {lists, "{\"start\": 0, \"total_size\": 1, \"entries\": [1]}", "an entry lacks"},
        {lists, "{\"start\": 1, \"total_size\": 1, \"entries\": [1]}", "another page"},
        {lists, "{\"start\": 0, \"total_size\": 1, \"entries\": [{\"list_id\": \"a\"}]}",
         "an entry lacks"},
        {members, NONE, NULL},
        {members, "{\"start\": 0, \"total_size\": 2, \"entries\": [" EMAIL("a@x") "]}",
         "entries are missing"},
        {members, "{\"start\": 0, \"total_size\": 1, \"entries\": [{\"email\": 1}]}",
         "an entry lacks"},
        {members, "{\"start\": 0, \"total_size\": 1, \"entries\": [{}]}",
         "an entry lacks"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        changed_path = cases[i].path;
        changed = cases[i].json;
        enum status status = read_of_size(steady);
        ck_assert_int_eq(status, cases[i].why == NULL ? STATUS_OK : STATUS_UNAVAILABLE);
        if (cases[i].why != NULL)
            ck_assert_msg(strstr(error.text, cases[i].why) != NULL, "%zu: %s", i,
                          error.text);
    }
}
END_TEST

START_TEST(mailman_cut_anywhere)
{
    size_t whole = 0;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        whole += strlen(answers[i].json);
    for (size_t at = 0; at < whole; at += 7) {
        cut_at = at;
        ck_assert_int_eq(read_of_size(steady), STATUS_UNAVAILABLE);
    }
    cut_at = whole;
    ck_assert_int_eq(read_of_size(steady), STATUS_OK);
}
END_TEST

START_TEST(mailman_odd_names)
{
    old = true;
    changed_path = "/lists?count=1000&page=1";
    changed =
        "{\"start\": 0, \"total_size\": 3, \"entries\": [" LIST("class", "3") "," LIST(
            "class-owner", "0") ", {\"fqdn_listname\": \"@\", \"list_id\": \"a b+&\", "
                                "\"member_count\": 3000}]}";
    ck_assert_int_eq(read_of_size(steady), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(text_string(&served), "list_id=a%20b%2B%26&role"));
    ck_assert_uint_eq(members_of("class-owner@l.example"), 0); /* a list of that name */
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert(problems_hold(&problems, "Mailman's list @ is no address"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailman");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, mailman_lists_members_and_owners);
    tcase_add_test(tcase, mailman_of_old_tells_no_delivery_status);
    tcase_add_test(tcase, mailman_page_that_changed_is_read_again);
    tcase_add_test(tcase, mailman_half_an_answer_is_a_failed_read);
    tcase_add_test(tcase, mailman_cut_anywhere);
    tcase_add_test(tcase, mailman_odd_names);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
