/* Which subjects are one campaign, and which are not. */
#include "policy/campaign.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

#include "linear.h"
#include "run.h"

static char *campaign;

/* The campaign of a subject, without the identity. */
static const char *of(const char *subject)
{
    static const char identity[] = "login:a@own ";
    free(campaign);
    campaign = NULL;
    ck_assert_int_eq(campaign_make("login:a@own", subject, &campaign), STATUS_OK);
    ck_assert_int_eq(strncmp(campaign, identity, sizeof identity - 1), 0);
    return campaign + sizeof identity - 1;
}

static void end(void)
{
    free(campaign);
    campaign = NULL;
}

static const struct {
    const char *subject;
    const char *normal;
} cases[] = {
    {NULL, ""},
    {"", ""},
    {" \r\n\t", ""},
    {"Snow day", "snow day"},
    /* case, of all scripts that have any */
    {"SNOW DAY", "snow day"},
    {"ÄÖÜ ÉÀ", "äöü éà"},
    {"ПРИВЕТ", "привет"},
    {"ΟΔΟΣ", "οδοσ"},
    {"οδος", "οδοσ"},
    {"\xe2\x84\xaa", "k"}, /* Kelvin */
    /* blanks */
    {"  Snow \t day\r\n ", "snow day"},
    {"Snow\r\n day", "snow day"},
    {"Snow\n\tday", "snow day"},
    {"Snow\xc2\xa0"
     "day",
     "snow day"},
    {"Snow\xe3\x80\x80\xe2\x80\x83"
     "day",
     "snow day"},
    {"Snow\xe2\xa0\x80"
     "day",
     "snow day"},
    /* what is not visible */
    {"Sn\xe2\x80\x8bow day", "snow day"},
    {"\xef\xbb\xbfSnow \xe2\x80\x8b day\xe2\x81\xa0", "snow day"},
    {"Sn\xc2\xad"
     "ow day",
     "snow day"},
    {"\xe2\x80\xaeSnow\xe2\x80\xac day", "snow day"},
    {"Snow\xf3\xa0\x81\x81 day", "snow day"},
    {"Sn\x01ow\x7f\xc2\x80 day", "snow day"},
    {"\xe2\x80\x8b", ""},
    /* numbers */
    {"Invoice 20181105", "invoice #"},
    {"Invoice 7", "invoice #"},
    {"Invoice 7-81", "invoice #-#"},
    {"Invoice \xef\xbc\x97\xef\xbc\x98", "invoice #"},
    {"Invoice \xd9\xa1\xd9\xa2", "invoice #"},
    {"Invoice \xe0\xa5\xa7\x31", "invoice #"},
    {"Invoice \xf0\x9d\x9f\x8f", "invoice #"},
    {"Invoice 1\xe2\x80\x8b"
     "2",
     "invoice #"},
    {"Invoice 1 2", "invoice # #"},
    {"Ticket #12", "ticket ##"},
    {"a1b22c", "a#b#c"},
    /* fullwidth */
    {"\xef\xbc\xb3\xef\xbd\x8eow day", "snow day"},
    /* encodings */
    {"=?utf-8?q?Snow_day?=", "snow day"},
    {"=?UTF-8?B?U25vdyBkYXk=?=", "snow day"},
    {"=?iso-8859-1?Q?Sn?=\r\n =?utf-8?q?ow?= day", "snow day"},
    {"=?utf-8?q?Snow=00_day?=", "snow day"},
    {"=?utf-8?q?=C3=84rger?=", "ärger"},
    {"=?iso-8859-1?q?=C4rger?=", "ärger"},
    {"\xc3\x84rger", "ärger"},
    {"\xc4rger", "\xef\xbf\xbdrger"},
    /* replies and forwards: Gmail, Outlook, Apple Mail, The Bat, mutt */
    {"Re: Snow day", "snow day"},
    {"RE: Snow day", "snow day"},
    {"Fwd: Snow day", "snow day"},
    {"FW: Snow day", "snow day"},
    {"re:Snow day", "snow day"},
    {"Re : Snow day", "snow day"},
    {"Re:\xe2\x80\x8b Snow day", "snow day"},
    {"Re: Re: FWD: RE: Snow day", "snow day"},
    {"RE[2]: Snow day", "snow day"},
    {"Re [17] : Snow day", "snow day"},
    {"Re(3): Snow day", "snow day"},
    {"Re^4: Snow day", "snow day"},
    {"Re5: Snow day", "snow day"},
    {"AW: WG: Snow day", "snow day"},
    {"SV: VS: VB: Snow day", "snow day"},
    {"Antw: Doorst: Snow day", "snow day"},
    {"TR: RV: RES: ENC: R: I: RIF: Snow day", "snow day"},
    {"Odp: PD: YNT: ILT: Snow day", "snow day"},
    {"回复: 答复：转发：Snow day", "snow day"},
    {"=?utf-8?q?Re=3A?= Snow day", "snow day"},
    {"=?utf-8?q?R?= =?utf-8?q?e?=: Snow day", "snow day"},
    {"Re:", ""},
    {"Re: Fwd:", ""},
    /* mailman's tag may stand before and behind */
    {"[Staff] Snow day", "[staff] snow day"},
    {"Re: [Staff] Snow day", "[staff] snow day"},
    {"[Staff] Re: Snow day", "[staff] snow day"},
    {"Re: [Staff] RE: Re: Snow day", "[staff] snow day"},
    {"[Staff]Fwd: Snow day", "[staff]snow day"},
    {"[Staff 12] AW: Snow day", "[staff #] snow day"},
    {"[Re: Snow day", "[re: snow day"},
    {"[]", "[]"},
    {"[a", "[a"},
    /* words that look like one */
    {"Reminder: snow", "reminder: snow"},
    {"Re snow", "re snow"},
    {"Result: Re: snow", "result: re: snow"},
    {"Forward: snow", "forward: snow"},
    {"Re[a]: snow", "re[a]: snow"},
    {": snow", ": snow"},
    {"Re", "re"},
};

START_TEST(campaign_normal_form)
{
    ck_assert_str_eq(of(cases[_i].subject), cases[_i].normal);
}
END_TEST

START_TEST(campaign_is_one_senders)
{
    char *other = NULL;
    ck_assert_int_eq(campaign_make("login:b@own", "Snow day", &other), STATUS_OK);
    ck_assert_str_eq(other, "login:b@own snow day");
    ck_assert_str_eq(of("Snow day"), "snow day");
    ck_assert_str_ne(other, campaign);
    free(other);
}
END_TEST

START_TEST(campaign_long_subjects_stay_distinct)
{
    enum { LONG = 64 * 1024 };
    char *subject = malloc(LONG + 1);
    char first[CAMPAIGN_SUBJECT_MAX + 1];
    ck_assert_ptr_nonnull(subject);
    memset(subject, 'a', LONG);
    subject[LONG] = '\0';
    ck_assert_uint_le(strlen(of(subject)), CAMPAIGN_SUBJECT_MAX);
    (void)strcpy(first, of(subject));
    ck_assert_int_eq(strncmp(first, "aaaa", 4), 0);
    subject[LONG - 1] = 'b';
    ck_assert_str_ne(of(subject), first);
    subject[LONG - 1] = 'A';
    ck_assert_str_eq(of(subject), first);

    subject[CAMPAIGN_SUBJECT_MAX + 1] = '\0';
    ck_assert_ptr_nonnull(strstr(of(subject), "..."));
    subject[CAMPAIGN_SUBJECT_MAX] = '\0';
    ck_assert_uint_eq(strlen(of(subject)), CAMPAIGN_SUBJECT_MAX);
    ck_assert_ptr_null(strstr(of(subject), "..."));
    free(subject);
}
END_TEST

START_TEST(campaign_is_not_cut_in_a_character)
{
    struct text subject = {0};
    for (int shift = 0; shift < 4; shift++) {
        text_reset(&subject);
        for (int i = 0; i < shift; i++)
            text_add_string(&subject, "a");
        for (int i = 0; i < 200; i++)
            text_add_string(&subject, "\xf0\x9f\x98\x80");
        const char *normal = of(text_string(&subject));
        ck_assert(utf8_is_valid(normal, strlen(normal)));
        ck_assert_ptr_nonnull(strstr(normal, "..."));
    }
    text_clear(&subject);
}
END_TEST

static const char *const hard[] = {
    "Re: ",
    "Re[2]: ",
    "[a] Re: ",
    "[a] ",
    "[",
    "[a",
    "[]",
    "re",
    "r",
    "i:",
    "1 ",
    "1",
    " ",
    "\xe2\x80\x8b",
    "\xc3\x84",
    "\xf3\xa0\x81\x81\xf0\x9d\x9f\x8f",
    "\xff",
    "=?utf-8?q?Re:?= ",
    "=?utf-8?q?R?=",
    "=?",
    "=?a?q?",
    "=?euc-jp?q?=FF?= a",
    "=?iso-8859-1?q?a?= =?iso-8859-2?q?a?= ",
};

static void work(const char *subject)
{
    ck_assert_uint_le(strlen(of(subject)), CAMPAIGN_SUBJECT_MAX);
}

START_TEST(campaign_is_linear)
{
    linear_check(work, hard[_i]);
}
END_TEST

/* Whatever comes in, what comes out is short, valid, and its own normal form, but for
 * marks that a tag had hidden. */
START_TEST(campaign_of_noise_is_harmless)
{
    static const char *const pieces[] = {
        "Re",           ":",   "[",           "]",  "a",    "[tag] ",
        "FWD: ",        " ",   "12",          "\n", "\xff", "\xc3\x84",
        "\xe2\x80\x8b", "=?q", "=?utf-8?q?=", "?=", "B",    "ß",
        "回复",         "：",  "\x01",        "^2",
    };
    unsigned seed = 1213;
    struct text subject = {0};
    for (int round = 0; round < 5000; round++) {
        text_reset(&subject);
        int count = rand_r(&seed) % 24;
        for (int i = 0; i < count; i++)
            text_add_string(
                &subject,
                pieces[(size_t)rand_r(&seed) % (sizeof pieces / sizeof pieces[0])]);
        const char *normal = of(text_string(&subject));
        ck_assert_uint_le(strlen(normal), CAMPAIGN_SUBJECT_MAX);
        ck_assert(utf8_is_valid(normal, strlen(normal)));
        ck_assert_ptr_null(strpbrk(normal, "0123456789\n\x01"
                                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        ck_assert_ptr_null(strstr(normal, "  "));
    }
    text_clear(&subject);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("campaign");
    TCase *tcase = tcase_create("campaign");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, end);
    tcase_add_loop_test(tcase, campaign_normal_form, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, campaign_is_one_senders);
    tcase_add_test(tcase, campaign_long_subjects_stay_distinct);
    tcase_add_test(tcase, campaign_is_not_cut_in_a_character);
    tcase_add_loop_test(tcase, campaign_is_linear, 0,
                        (int)(sizeof hard / sizeof hard[0]));
    tcase_add_test(tcase, campaign_of_noise_is_harmless);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
