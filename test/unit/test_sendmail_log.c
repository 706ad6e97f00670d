/* Sendmail's logs read back to messages. */
#include "mail_log_fixture.h"

#define AT "Nov 30 12:00:01 relay sm-mta[817]: "
#define ID "6AUDfjG7000817"
#define ID2 "6AUDfjAN000834"
#define FROM(n)                                                                          \
    ID ": from=<ann@x.org>, size=75, class=0, nrcpts=" n                                 \
       ", msgid=<1@x.org>, proto=ESMTP, daemon=MTA, relay=home.example [10.1.2.3]\n"
#define REST                                                                             \
    ", delay=00:00:00, xdelay=00:00:00, mailer=local, pri=90075, relay=localhost, "      \
    "dsn=2.0.0, stat="

START_TEST(sendmail_log_reads_a_message)
{
    ck_assert_str_eq(read_log(AT FROM("3") AT ID ": to=<eve@x.org>,<\"b,>b\"@x.org>" REST
                                                 "Sent\n" AT ID ": to=<far@y.org>" REST
                                                 "User unknown\n"),
                     "43201 " ID " 10.1.2.3 ann@x.org>eve@x.org*1,\"b,>b\"@x.org*1,"
                     "far@y.org*1 sent;");
    ck_assert_uint_eq(statistics.unread, 0);
}
END_TEST

START_TEST(sendmail_log_takes_members_for_a_list_without_a_name)
{
    ck_assert_str_eq(read_log(AT FROM("2") AT ID ": to=bob,joe" REST "Sent\n" AT ID
                                                 ": to=<eve@x.org>" REST "Sent\n"),
                     "43201 " ID
                     " 10.1.2.3 ann@x.org>bob*1,joe*1,eve@x.org*1 sent part;");
}
END_TEST

START_TEST(sendmail_log_counts_members_for_their_list)
{
    ck_assert_str_eq(
        read_log(AT FROM("3") AT ID
                 ": alias <all@x.org> => in, \"|/bin/x -a, b\"\n" AT ID
                 ": alias in => bob, joe\n" AT ID
                 ": alias <two@x.org> => bob, eve\n" AT ID ": to=bob,joe,eve" REST
                 "Sent\n" AT ID ": to=\"|/bin/x -a, b\"" REST "Sent\n" AT ID
                 ": to=<far@y.org>" REST "Deferred: no\n" AT ID ": to=joe" REST "Sent\n"),
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*3,two@x.org*1,far@y.org*1 sent;");
}
END_TEST

/* A line that no Sendmail writes. */
START_TEST(sendmail_log_survives_a_clone_of_itself)
{
    ck_assert_str_eq(read_log(AT ID ": alias <all@x.org> => bob, joe\n" AT ID ": " ID
                                    ": clone: owner=ann\n"),
                     "");
}
END_TEST

START_TEST(sendmail_log_counts_a_list_with_an_owner)
{
    ck_assert_str_eq(read_log(AT FROM("2") AT ID ": alias <all@x.org> => bob, joe\n" AT ID
                                                 ": " ID2 ": clone: owner=ann\n" AT ID
                                                 ": to=<far@y.org>" REST "Sent\n" AT ID2
                                                 ": to=bob,joe" REST "Sent\n"),
                     "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*2,far@y.org*1 sent;");
}
END_TEST

START_TEST(sendmail_log_joins_lines_of_many_recipients)
{
    ck_assert_str_eq(
        read_log(AT FROM("3") AT ID ": to=<bob@x.org>,<eve@x.org>, [more]" REST
                                    "Sent\n" AT ID ": to=<joe@x.org>" REST "Sent\n"),
        "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1,eve@x.org*1,joe@x.org*1 sent;");
}
END_TEST

#define AUTH                                                                             \
    "AUTH=server, relay=home.example [10.1.2.3], authid=ann@x.org, mech=PLAIN, bits=0\n"
#define SENT AT ID ": to=<bob@x.org>" REST "Sent\n"

START_TEST(sendmail_log_knows_who_logged_in)
{
    ck_assert_str_eq(read_log(AT AUTH AT FROM("1") SENT),
                     "43201 " ID " 10.1.2.3 ann@x.org ann@x.org>bob@x.org*1 sent;");
    /* Another process, or another client of a process with the same number, has not. */
    ck_assert_str_eq(
        read_log("Nov 30 12:00:01 relay sm-mta[1841]: " AUTH AT FROM("1") SENT),
        "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
    ck_assert_str_eq(
        read_log(AT "AUTH=server, relay=[10.1.2.4], authid=ann, mech=PLAIN\n" AT FROM("1")
                     SENT),
        "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
    ck_assert_str_eq(
        read_log("Nov 30 10:00:01 relay sm-mta[817]: " AUTH AT FROM("1") SENT),
        "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
}
END_TEST

START_TEST(sendmail_log_reads_what_is_passed_on_once)
{
    ck_assert_str_eq(
        read_log("Nov 30 12:00:01 relay sendmail[862]: " ID2
                 ": from=root, size=77, class=0, nrcpts=1, msgid=<1@x.org>, "
                 "relay=root@localhost\n" AT ID
                 ": from=<root@x.org>, size=307, class=0, nrcpts=1, proto=ESMTP, "
                 "daemon=MTA, relay=localhost [127.0.0.1]\n"
                 "Nov 30 12:00:01 relay sendmail[862]: " ID2
                 ": to=<bob@x.org>, ctladdr=root (0/0), mailer=relay, relay=[127.0.0.1] "
                 "[127.0.0.1], dsn=2.0.0, stat=Sent (" ID
                 " Message accepted for delivery)\n" SENT),
        "43201 " ID " local root@x.org>bob@x.org*1 sent;");
}
END_TEST

START_TEST(sendmail_log_leaves_out_what_was_given_up)
{
    ck_assert_str_eq(
        read_log(AT ID ": to=<bob@x.org>, delay=00:00:00, pri=0, stat=rset\n" AT ID
                       ": from=<ann@x.org>, size=0, class=0, nrcpts=1, proto=ESMTP, "
                       "daemon=MTA, relay=[10.1.2.3]\n"),
        "");
}
END_TEST

START_TEST(sendmail_log_reads_smtp_on_standard_input_as_local)
{
    ck_assert_str_eq(read_log(AT ID ": from=<ann@x.org>, size=15, nrcpts=1, proto=ESMTP, "
                                    "relay=localhost [[UNIX: localhost]]\n" SENT),
                     "43201 " ID " local ann@x.org>bob@x.org*1 sent;");
}
END_TEST

#define QUARANTINED AT ID ": milter=mailbrake, quarantine=mailbrake many, reach 11\n"

START_TEST(sendmail_log_reads_what_is_held)
{
    ck_assert_str_eq(read_log(AT FROM("1") QUARANTINED),
                     "43201 " ID " 10.1.2.3 ann@x.org> held part;");
    ck_assert_str_eq(
        read_log(AT FROM("1") QUARANTINED AT ID
                 ": to=<bob@x.org>, mailer=local, quarantine=many, stat=quarantined\n"),
        "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*0 held;");
    ck_assert_str_eq(read_log(AT FROM("1") QUARANTINED
                              "Nov 30 12:59:00 relay sm-mta[852]: " ID ": unquarantine\n"
                              "Nov 30 12:59:00 relay sm-mta[852]: " ID
                              ": to=<bob@x.org>" REST "Sent\n"),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent held;");
}
END_TEST

START_TEST(sendmail_log_reads_what_a_milter_rejects)
{
    ck_assert_str_eq(read_log(AT FROM("2") AT ID
                              ": Milter: data, reject=550 5.7.1 Too many\n" AT ID
                              ": to=<all@x.org>, delay=00:00:00, pri=3, stat=Too "
                              "many\n" AT ID
                              ": to=<bob@x.org>, delay=00:00:00, pri=3, stat=Too "
                              "many\n"),
                     "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*0,bob@x.org*0 rejected;");
}
END_TEST

START_TEST(sendmail_log_ends_a_message_by_silence)
{
    /* Nothing says that a list has no more members; the next message comes first when it
     * is the older one. */
    ck_assert_str_eq(read_log(AT FROM("1") AT ID
                              ": to=bob" REST "Deferred: no\n"
                              "Nov 30 12:59:00 relay sm-mta[1]: " ID2
                              ": from=<>, nrcpts=1, proto=SMTP, daemon=MTA, "
                              "relay=[10.1.2.3]\n"
                              "Nov 30 13:00:00 relay sm-mta[2]: " ID ": to=bob" REST
                              "Sent\n"),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob*1 deferred part;"
                     "46740 " ID2 " 10.1.2.3 > open part;");
}
END_TEST

START_TEST(sendmail_log_counts_lines_that_are_cut)
{
    ck_assert_str_eq(read_log(AT ID ": from=<ann@x.org>, size=7\n" AT FROM("1") AT ID
                              ": to=<bob@x.org>, delay=00\n" AT ID
                              ": to=\"bob@x.org>" REST "Sent\n" SENT),
                     "43201 " ID " 10.1.2.3 ann@x.org>\"bob@x.org>*1,bob@x.org*1 sent;");
    ck_assert_uint_eq(statistics.unread, 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        sendmail_log_reads_a_message,
        sendmail_log_takes_members_for_a_list_without_a_name,
        sendmail_log_counts_members_for_their_list,
        sendmail_log_survives_a_clone_of_itself,
        sendmail_log_counts_a_list_with_an_owner,
        sendmail_log_joins_lines_of_many_recipients,
        sendmail_log_knows_who_logged_in,
        sendmail_log_reads_what_is_passed_on_once,
        sendmail_log_leaves_out_what_was_given_up,
        sendmail_log_reads_smtp_on_standard_input_as_local,
        sendmail_log_reads_what_is_held,
        sendmail_log_reads_what_a_milter_rejects,
        sendmail_log_ends_a_message_by_silence,
        sendmail_log_counts_lines_that_are_cut,
        NULL,
    };
    return run_suite(mail_log_suite("sendmail_log", tests));
}
