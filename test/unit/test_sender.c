/* Whose a MAIL FROM is beneath what others wrote into it. */
#include "policy/sender.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct domains own;

static void begin(void)
{
    ck_assert_int_eq(domains_add(&own, "own.example", NULL), STATUS_OK);
    ck_assert_int_eq(domains_set_delimiters(&own, "+"), STATUS_OK);
}

static void end(void)
{
    domains_clear(&own);
}

static const struct {
    const char *typed;
    const char *plain;   /* simplified */
    const char *forward; /* whom it counts as; NULL: nobody rewrote it */
} senders[] = {
    {"", "", NULL},
    {"ann@own.example", "ann@own.example", NULL},
    {"ann+x@own.example", "ann@own.example", NULL},
    {"ann+x@far.example", "ann+x@far.example", NULL},
    /* BATV */
    {"prvs=3123abcdef=ann@own.example", "ann@own.example", NULL},
    {"PRVS=4999ABCDEF=Ann+x@own.example", "ann@own.example", NULL},
    {"prvs=3123abcdef=ann+x@far.example", "ann+x@far.example", NULL},
    {"prvs=3123abcdef=a=b@far.example", "a=b@far.example", NULL},
    {"btv1==0123456789a==ann@far.example", "ann@far.example", NULL},
    {"prvs=3123abcdef=@far.example", "prvs=3123abcdef=@far.example", NULL},
    {"prvs==ann@far.example", "prvs==ann@far.example", NULL},
    {"prvs=3123abcdef@far.example", "prvs=3123abcdef@far.example", NULL},
    {"prvs=3123.abc=ann@far.example", "prvs=3123.abc=ann@far.example", NULL},
    {"xprvs=3123abcdef=ann@far.example", "xprvs=3123abcdef=ann@far.example", NULL},
    {"btv1=0123456789a=ann@far.example", "btv1=0123456789a=ann@far.example", NULL},
    {"\"prvs=3123abcdef=a b\"@far.example", "\"prvs=3123abcdef=a b\"@far.example", NULL},
    /* SRS: another hash, another day, the same person */
    {"SRS0=Ab1/=T4=far.example=joe@fwd.example",
     "srs0=ab1/=t4=far.example=joe@fwd.example", "joe@far.example"},
    {"SRS0=Zz9+=U5=far.example=joe@fwd.example",
     "srs0=zz9+=u5=far.example=joe@fwd.example", "joe@far.example"},
    {"SRS0+Ab1=T4=far.example=joe+x@own.example",
     "srs0+ab1=t4=far.example=joe+x@own.example", "joe+x@far.example"},
    {"SRS0-Ab1=T4=far.example=a=b@fwd.example", "srs0-ab1=t4=far.example=a=b@fwd.example",
     "a=b@far.example"},
    {"SRS1=Cd2=fwd.example==Ab1=T4=far.example=joe@two.example",
     "srs1=cd2=fwd.example==ab1=t4=far.example=joe@two.example", "joe@far.example"},
    {"SRS1=Cd2=fwd.example=+Ab1=T4=far.example=joe@two.example",
     "srs1=cd2=fwd.example=+ab1=t4=far.example=joe@two.example", "joe@far.example"},
    /* nobody of ours by a stranger's word */
    {"SRS0=Ab1=T4=own.example=ann@evil.example",
     "srs0=ab1=t4=own.example=ann@evil.example", "srs=own.example=ann@evil.example"},
    {"SRS0=Xy2=U5=own.example=ann@evil.example",
     "srs0=xy2=u5=own.example=ann@evil.example", "srs=own.example=ann@evil.example"},
    {"SRS0=Ab1=T4=OWN.example.=ann@own.example",
     "srs0=ab1=t4=own.example.=ann@own.example", "srs=own.example.=ann@own.example"},
    {"SRS1=Cd2=f.example==Ab1=T4=own.example=ann@evil.example",
     "srs1=cd2=f.example==ab1=t4=own.example=ann@evil.example",
     "srs=own.example=ann@evil.example"},
    /* one upon the other */
    {"prvs=3123abcdef=prvs=4=ann@far.example", "ann@far.example", NULL},
    {"SRS0=a=T4=far.example=SRS0=b=T4=x.example=joe@fwd.example",
     "srs0=a=t4=far.example=srs0=b=t4=x.example=joe@fwd.example", "joe@x.example"},
    {"SRS0=a=T4=far.example=prvs=3123abcdef=joe@fwd.example",
     "srs0=a=t4=far.example=prvs=3123abcdef=joe@fwd.example", "joe@far.example"},
    {"SRS0=a=T4=own.example=a=b=c=d@fwd.example",
     "srs0=a=t4=own.example=a=b=c=d@fwd.example", "srs=own.example=a=b=c=d@fwd.example"},
    /* broken, or none */
    {"SRS0=Ab1=T4=far.example@fwd.example", "srs0=ab1=t4=far.example@fwd.example", NULL},
    {"SRS0=Ab1=T4==joe@fwd.example", "srs0=ab1=t4==joe@fwd.example", NULL},
    {"SRS0==T4=far.example=joe@fwd.example", "srs0==t4=far.example=joe@fwd.example",
     NULL},
    {"SRS1=Cd2=fwd.example=Ab1=T4=far.example=joe@two.example",
     "srs1=cd2=fwd.example=ab1=t4=far.example=joe@two.example", NULL},
    {"SRS0@fwd.example", "srs0@fwd.example", NULL},
    {"srs02=Ab1=T4=far.example=joe@fwd.example",
     "srs02=ab1=t4=far.example=joe@fwd.example", NULL},
};

START_TEST(sender_is_whose_it_is)
{
    struct address address;
    struct address first = {.length = 7};
    ck_assert_int_eq(
        address_parse(senders[_i].typed, strlen(senders[_i].typed), &address), STATUS_OK);
    sender_simplify(&address, &own);
    ck_assert_str_eq(address.text, senders[_i].plain);
    ck_assert_uint_eq(address.length, strlen(address.text));
    bool forwarded = sender_was_forwarded(&address, &own, &first);
    ck_assert_int_eq(forwarded, senders[_i].forward != NULL);
    ck_assert_uint_eq(first.length, forwarded ? strlen(senders[_i].forward) : 7);
    if (forwarded)
        ck_assert_str_eq(first.text, senders[_i].forward);
}
END_TEST

/* Nothing that names one of ours in SRS counts as one of ours. */
START_TEST(sender_of_noise_is_nobody_of_ours)
{
    static const char *const pieces[] = {
        "srs0",        "srs1", "=",       "=", "+",  "-", "own.example",
        "far.example", "ann",  "prvs=1=", ".", "\"", "a"};
    unsigned seed = 9;
    for (int round = 0; round < 50000; round++) {
        char typed[300] = "";
        struct address address;
        struct address first;
        for (int i = rand_r(&seed) % 14; i >= 0; i--)
            strcat(typed,
                   pieces[(size_t)rand_r(&seed) % (sizeof pieces / sizeof pieces[0])]);
        strcat(typed, "@evil.example");
        ck_assert_int_eq(address_parse(typed, strlen(typed), &address), STATUS_OK);
        struct address before = address;
        sender_simplify(&address, &own);
        ck_assert_str_eq(address_domain(&address), address_domain(&before));
        if (!sender_was_forwarded(&address, &own, &first))
            continue;
        ck_assert(!domains_have_address(&own, &first));
        struct address again = first;
        sender_simplify(&again, &own);
        ck_assert_str_eq(again.text, first.text);
        ck_assert(!sender_was_forwarded(&first, &own, &again));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sender");
    TCase *tcase = tcase_create("sender");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, sender_is_whose_it_is, 0,
                        (int)(sizeof senders / sizeof senders[0]));
    tcase_add_test(tcase, sender_of_noise_is_nobody_of_ours);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
