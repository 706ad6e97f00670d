/* Which thread an answer belongs to that names only the message it answers. */
#include "store/conversations.h"

#include "base/digest.h"
#include "run.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 100 };

static struct conversations *known;

static void begin(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    known = conversations_new(MAX);
    ck_assert_ptr_nonnull(known);
}

static void end(void)
{
    conversations_free(known);
}

/* NULL: the message lacks that. */
struct sent {
    const char *own, *first, *parent, *index;
};

static void fill(char *out, const char *link)
{
    (void)snprintf(out, THREAD_SIZE, "%s", link == NULL ? "" : link);
}

static const char *thread_of(struct sent sent, bool login, bool let_in)
{
    static struct facts facts;
    facts = (struct facts){.origin = ORIGIN_SMTP};
    fill(facts.links.own, sent.own);
    fill(facts.links.first, sent.first);
    fill(facts.links.parent, sent.parent);
    fill(facts.links.index, sent.index);
    facts.reply = sent.first != NULL || sent.parent != NULL;
    facts.login.length = login ? 1 : 0;
    (void)snprintf(facts.thread, sizeof facts.thread, "%s", thread_name(&facts.links));
    conversations_join(known, &facts);
    if (let_in)
        conversations_note(known, &facts);
    return facts.thread;
}

static const char *ours(const char *own, const char *first, const char *parent,
                        const char *index)
{
    return thread_of((struct sent){own, first, parent, index}, true, true);
}

static const char *theirs(const char *own, const char *first, const char *parent,
                          const char *index)
{
    return thread_of((struct sent){own, first, parent, index}, false, true);
}

static const char *asked(const char *first, const char *parent, const char *index)
{
    return thread_of((struct sent){NULL, first, parent, index}, false, false);
}

START_TEST(conversations_parent_leads_to_the_thread)
{
    ck_assert_str_eq(ours("o@x", NULL, NULL, NULL), "o@x");
    ck_assert_str_eq(ours("1@x", NULL, "o@x", NULL), "o@x");
    ck_assert_str_eq(theirs("2@y", NULL, "1@x", NULL), "o@x");
    ck_assert_str_eq(ours("3@x", NULL, "2@y", NULL), "o@x");
    ck_assert_str_eq(ours("4@x", "o@x", "3@x", NULL), "o@x");
    ck_assert_str_eq(asked(NULL, "4@x", NULL), "o@x");
    /* References that begin in the middle, as Gmail's of an answer without any */
    ck_assert_str_eq(asked("3@x", "4@x", NULL), "o@x");
    ck_assert_str_eq(asked(NULL, "never@seen", NULL), "never@seen");
}
END_TEST

/* Outlook, Gmail and a program that knows In-Reply-To alone, all in one thread. */
START_TEST(conversations_of_mixed_programs_are_one)
{
    (void)ours("o@x", NULL, NULL, "#11");
    ck_assert_str_eq(ours("1@x", NULL, NULL, "#11"), "o@x");
    ck_assert_str_eq(ours("2@x", "o@x", "o@x", NULL), "o@x");
    ck_assert_str_eq(ours("3@x", NULL, "2@x", NULL), "o@x");
    ck_assert_str_eq(ours("4@x", NULL, "lost@x", "#11"), "o@x");
    ck_assert_str_eq(asked(NULL, "4@x", NULL), "o@x");
}
END_TEST

/* Its beginning was not seen: an answer with both fields joins the two. */
START_TEST(conversations_learn_an_index_late)
{
    ck_assert_str_eq(asked(NULL, "lost@x", "#11"), "#11");
    ck_assert_str_eq(ours("1@x", "o@x", "lost@x", "#11"), "o@x");
    ck_assert_str_eq(asked(NULL, "lost@x", "#11"), "o@x");
}
END_TEST

START_TEST(conversations_are_not_led_astray)
{
    (void)ours("o@x", NULL, NULL, "#11");
    /* an id or an index that is taken is not taken again */
    (void)ours("o@x", "other@x", NULL, "#11");
    (void)theirs("o@x", "other@x", NULL, "#11");
    ck_assert_str_eq(asked(NULL, "o@x", NULL), "o@x");
    ck_assert_str_eq(asked(NULL, NULL, "#11"), "o@x");
    /* a stranger says nothing about References and indexes of others */
    (void)theirs("p@x", "other@x", NULL, "#22");
    ck_assert_str_eq(asked("p@x", NULL, NULL), "p@x");
    ck_assert_str_eq(asked(NULL, NULL, "#22"), "#22");
    /* and less than we do about a message of ours */
    (void)ours("p@x", NULL, NULL, NULL);
    ck_assert_str_eq(asked(NULL, "p@x", NULL), "p@x");
}
END_TEST

START_TEST(conversations_refused_mail_is_not_remembered)
{
    (void)thread_of((struct sent){"1@x", "o@x", NULL, "#11"}, true, false);
    ck_assert_str_eq(asked(NULL, "1@x", NULL), "1@x");
    ck_assert_str_eq(asked(NULL, NULL, "#11"), "#11");
}
END_TEST

START_TEST(conversations_are_bounded)
{
    char id[32];
    (void)ours("o@x", NULL, NULL, NULL);
    (void)ours("1@x", NULL, "o@x", NULL);
    (void)ours("gone@x", NULL, "o@x", NULL);
    for (int i = 0; i < 20 * MAX; i++) {
        (void)snprintf(id, sizeof id, "%d@y", i);
        (void)theirs(id, NULL, NULL, NULL);
    }
    ck_assert_str_eq(asked(NULL, "gone@x", NULL), "o@x"); /* no stranger's doing */
    for (int i = 0; i < 20 * MAX; i++) {
        (void)snprintf(id, sizeof id, "%d@x", 2 + i);
        (void)ours(id, NULL, NULL, NULL);
        ck_assert_str_eq(asked(NULL, "1@x", NULL), "o@x"); /* in use */
    }
    ck_assert_str_eq(asked(NULL, "gone@x", NULL), "gone@x");
}
END_TEST

START_TEST(conversations_without_any)
{
    struct conversations *kept = known;
    known = NULL;
    ck_assert_str_eq(ours("1@x", NULL, "o@x", NULL), "o@x");
    ck_assert_str_eq(ours(NULL, NULL, NULL, NULL), "");
    known = kept;
    ck_assert_str_eq(ours(NULL, NULL, NULL, NULL), "");
}
END_TEST

static void *work(void *seed)
{
    for (int i = 0; i < 2000; i++) {
        struct facts facts = {.origin = ORIGIN_LOCAL};
        (void)snprintf(facts.links.own, THREAD_SIZE, "%d@x",
                       (i * 7 + *(int *)seed) % 300);
        (void)snprintf(facts.links.parent, THREAD_SIZE, "%d@x", i % 300);
        (void)snprintf(facts.thread, sizeof facts.thread, "%s", facts.links.parent);
        conversations_join(known, &facts);
        conversations_note(known, &facts);
    }
    return NULL;
}

START_TEST(conversations_of_many_threads)
{
    pthread_t threads[4];
    int seeds[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_str_ne(asked(NULL, "0@x", NULL), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conversations");
    TCase *tcase = tcase_create("conversations");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, conversations_parent_leads_to_the_thread);
    tcase_add_test(tcase, conversations_of_mixed_programs_are_one);
    tcase_add_test(tcase, conversations_learn_an_index_late);
    tcase_add_test(tcase, conversations_are_not_led_astray);
    tcase_add_test(tcase, conversations_refused_mail_is_not_remembered);
    tcase_add_test(tcase, conversations_are_bounded);
    tcase_add_test(tcase, conversations_without_any);
    tcase_add_test(tcase, conversations_of_many_threads);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
