/* Mailman's REST answers, from a server that is a table. */
#include "lists/mailman.h"

#include "lists_fixture.h"
#include "run.h"

#define LISTS "/lists?count=1000&page=1"
#define CLASS                                                                            \
    "/members/find?list_id=class.l.example&role=member&fields=email&delivery_status="    \
    "enabled"
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
static const char *changed; /* an answer instead of the server's */
static const char *changed_path;
static bool old;         /* before there was a delivery_status to ask for */
static size_t cut_at;    /* bytes of all answers together before the connection is lost */
static size_t sent;      /* bytes of all answers */
static size_t small = 0; /* lists of one member each */

/* Who is where, and gets nothing when off. */
static const struct {
    const char *list, *role, *email;
    bool off;
} people[] = {
    {"class", "member", "a@x.example", false},
    {"class", "member", "b@x.example", false},
    {"class", "member", "c@x.example", true},
    {"class", "owner", "o@x.example", false},
    {"class", "owner", "off@x.example", true},
    {"class", "moderator", "m@x.example", false},
    {"class", "moderator", "o@x.example", false},
};

/* The members of "big", request by request: so many, after the first ones left. */
struct moment {
    size_t total, left;
};

static json_t *make_list(const char *name, size_t count)
{
    return json_pack("{s:s+,s:s+,s:I}", "fqdn_listname", name, "@l.example", "list_id",
                     name, ".l.example", "member_count", (json_int_t)count);
}

static void add_person(json_t *all, const char *list, const char *email)
{
    json_array_append_new(
        all, json_pack("{s:s,s:s+}", "email", email, "list_id", list, ".l.example"));
}

static json_t *find_all(const char *path, const struct moment *moment)
{
    json_t *all = json_array();
    char name[40], asked[60];
    bool is_find = strncmp(path, "/members/find?", 14) == 0;
    for (size_t i = 0; i < small; i++) {
        (void)snprintf(name, sizeof name, "small%zu", i);
        (void)snprintf(asked, sizeof asked, "list_id=%s.l.example&role=member", name);
        if (!is_find)
            json_array_append_new(all, make_list(name, 1));
        else if (strstr(path, asked) != NULL)
            add_person(all, name, "s@x.example");
    }
    if (!is_find) {
        json_array_append_new(all, make_list("class", 3));
        json_array_append_new(all, make_list("big", moment->total));
        return all;
    }
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        (void)snprintf(asked, sizeof asked, "role=%s&", people[i].role);
        (void)snprintf(name, sizeof name, "list_id=%s.l.example", people[i].list);
        if (strstr(path, asked) != NULL &&
            (strstr(path, "list_id=") == NULL || strstr(path, name) != NULL) &&
            !(people[i].off && strstr(path, "delivery_status=enabled") != NULL))
            add_person(all, people[i].list, people[i].email);
    }
    for (size_t i = 0;
         i < moment->total && strstr(path, "list_id=big.l.example&role=member") != NULL;
         i++) {
        (void)snprintf(name, sizeof name, "p%05zu@x.example", moment->left + i);
        add_person(all, "big", name);
    }
    return all;
}

/* A number of a path's query, 0 without. */
static size_t number_in(const char *path, const char *name)
{
    const char *found = strstr(path, name);
    return found == NULL ? 0 : (size_t)strtoul(found + strlen(name), NULL, 10);
}

static json_t *make_answer(const char *path, const struct moment *moment)
{
    json_t *all = find_all(path, moment);
    size_t count = number_in(path, "count=");
    size_t total = json_array_size(all);
    size_t start = count == 0 ? 0 : (number_in(path, "page=") - 1) * count;
    json_t *answer = json_pack("{s:I,s:I}", "start", (json_int_t)start, "total_size",
                               (json_int_t)total);
    json_t *page = json_array();
    for (size_t i = start; i < total && (count == 0 || i < start + count); i++)
        json_array_append(page, json_array_get(all, i));
    json_decref(all);
    if (json_array_size(page) > 0)
        json_object_set(answer, "entries", page);
    json_decref(page);
    return answer;
}

static enum status ask(void *context, const char *path, json_t **out,
                       struct error *failure)
{
    const struct moment **moment = context;
    text_printf(&served, "%s\n", path);
    if (old && strstr(path, "delivery_status") != NULL)
        return error_set(failure, STATUS_INVALID, "400 for %s", path);
    json_t *answer = changed != NULL && strcmp(path, changed_path) == 0
                         ? json_loads(changed, 0, NULL)
                         : make_answer(path, *moment);
    char *text = json_dumps(answer, 0);
    json_decref(answer);
    if (strstr(path, "list_id=big.l.example&role=member") != NULL &&
        (*moment)[1].total > 0)
        ++*moment;
    size_t length = strlen(text) < cut_at ? strlen(text) : cut_at;
    cut_at -= length;
    sent += length;
    *out = json_loadb(text, length, 0, NULL);
    free(text);
    return *out != NULL ? STATUS_OK : error_set(failure, STATUS_UNAVAILABLE, "cut");
}

static const struct moment steady[] = {{2001, 0}, {0, 0}};

static enum status read_through(const struct moment *moments)
{
    const struct mailman_server server = {.ask = ask, .context = &moments};
    text_reset(&served);
    problems_clear(&problems);
    entries_clear(&entries);
    error = (struct error){0};
    sent = 0;
    return mailman_read(&server, &entries, &problems, &counts, &error);
}

static void setup(void)
{
    cut_at = SIZE_MAX;
    changed = NULL;
    old = false;
    small = 0;
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
    ck_assert_int_eq(read_through(steady), STATUS_OK);
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

START_TEST(mailman_asks_once_a_list)
{
    size_t requests = 0;
    small = 300;
    ck_assert_int_eq(read_through(steady), STATUS_OK);
    ck_assert_uint_eq(counts.lists, 302);
    ck_assert_uint_eq(members_of("small299@l.example"), 1);
    ck_assert_uint_eq(members_of("small299-owner@l.example"), 1);
    for (const char *at = text_string(&served); *at != '\0'; at++)
        requests += *at == '\n';
    ck_assert_uint_le(requests, 302 + 20);
}
END_TEST

START_TEST(mailman_of_old_tells_no_delivery_status)
{
    old = true;
    ck_assert_int_eq(read_through(steady), STATUS_OK);
    ck_assert_uint_eq(members_of("class@l.example"), 3);
    ck_assert_uint_eq(members_of("class-owner@l.example"), 4);
}
END_TEST

START_TEST(mailman_page_that_changed_is_read_again)
{
    static const struct {
        struct moment moments[9];
        size_t left, total; /* of the whole that is read; 0: it fails */
    } cases[] = {
        {{{2001, 0}}, 0, 2001},
        {{{2001, 0}, {2000, 0}}, 0, 2000},
        {{{2001, 0}, {2002, 0}}, 0, 2002},
        {{{2001, 0}, {2001, 0}, {2001, 0}, {1500, 0}}, 0, 1500},
        /* One leaves and another joins: as many, but each a place further up. */
        {{{2001, 0}, {2001, 1}}, 1, 2001},
        {{{2001, 0}, {2001, 0}, {2001, 0}, {2001, 7}}, 7, 2001},
        {{{2001, 0}, {2000, 0}, {2001, 0}, {2000, 0}, {2002, 0}, {2003, 0}, {2004, 0}},
         0,
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum status status = read_through(cases[i].moments);
        ck_assert_int_eq(status, cases[i].total == 0 ? STATUS_UNAVAILABLE : STATUS_OK);
        if (status != STATUS_OK) {
            ck_assert_ptr_nonnull(strstr(error.text, "changes each time it is read"));
            continue;
        }
        ck_assert_uint_eq(members_of("big@l.example"), cases[i].total);
        struct member_list_reader reader =
            member_list_read(&entries_find(&entries, "big@l.example")->members);
        struct member member;
        for (size_t n = cases[i].left; member_list_next(&reader, &member); n++)
            ck_assert_uint_eq(strtoul(member.text + 1, NULL, 10), n);
    }
}
END_TEST

START_TEST(mailman_half_an_answer_is_a_failed_read)
{
    static const char lists[] = LISTS;
    static const char members[] = CLASS;
    static const char owners[] =
        "/members/find?role=owner&fields=email&fields=list_id&delivery_status=enabled";
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
        {owners, "{\"start\": 0, \"total_size\": 1, \"entries\": [" EMAIL("a@x") "]}",
         "an entry lacks"},
        {owners, "{\"start\": 0, \"total_size\": 1}", "are missing, after 2 of 2 lists"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        changed_path = cases[i].path;
        changed = cases[i].json;
        enum status status = read_through(steady);
        ck_assert_int_eq(status, cases[i].why == NULL ? STATUS_OK : STATUS_UNAVAILABLE);
        if (cases[i].why != NULL)
            ck_assert_msg(strstr(error.text, cases[i].why) != NULL, "%zu: %s", i,
                          error.text);
    }
}
END_TEST

START_TEST(mailman_cut_anywhere)
{
    ck_assert_int_eq(read_through(steady), STATUS_OK);
    size_t whole = sent;
    for (size_t at = 0; at < whole; at += whole / 150) {
        cut_at = at;
        ck_assert_int_eq(read_through(steady), STATUS_UNAVAILABLE);
    }
    cut_at = whole;
    ck_assert_int_eq(read_through(steady), STATUS_OK);
}
END_TEST

START_TEST(mailman_odd_names)
{
    old = true;
    changed_path = LISTS;
    changed =
        "{\"start\": 0, \"total_size\": 3, \"entries\": [" LIST("class", "3") "," LIST(
            "class-owner", "0") ", {\"fqdn_listname\": \"@\", \"list_id\": \"a b+&\", "
                                "\"member_count\": 3000}]}";
    ck_assert_int_eq(read_through(steady), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(text_string(&served), "list_id=a%20b%2B%26&role"));
    ck_assert_uint_eq(members_of("class-owner@l.example"), 0); /* a list of that name */
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert(problems_hold(&problems, "Mailman's list @ is not an address"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailman");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, mailman_lists_members_and_owners);
    tcase_add_test(tcase, mailman_asks_once_a_list);
    tcase_add_test(tcase, mailman_of_old_tells_no_delivery_status);
    tcase_add_test(tcase, mailman_page_that_changed_is_read_again);
    tcase_add_test(tcase, mailman_half_an_answer_is_a_failed_read);
    tcase_add_test(tcase, mailman_cut_anywhere);
    tcase_add_test(tcase, mailman_odd_names);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
