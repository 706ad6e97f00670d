/* Postfix's logs read back to messages: what each line adds, and in which order they come
 * out. */
#include "../support/shortage.h"
#include "mail_log_fixture.h"

#define AT "Nov 30 12:00:01 relay "
#define SMTPD AT "postfix/smtpd[1]: "
#define CLEANUP AT "postfix/cleanup[2]: "
#define QMGR AT "postfix/qmgr[3]: "
#define LMTP AT "postfix/lmtp[4]: "
#define LOCAL AT "postfix/local[4]: "
#define ID "4jd3WL6l7Dz87p2"
#define ID2 "4jd3WL6qmsz87p4"
#define ID3 "4jd3WL7mkJz87p5"
#define TAKEN(id)                                                                        \
    SMTPD id ": client=unknown[10.1.2.3]\n" CLEANUP id ": message-id=<1@x.org>\n"
#define ACTIVE(id, n) QMGR id ": from=<ann@x.org>, size=4, nrcpt=" n " (queue active)\n"
#define SENT ", relay=x[/run/sink], delay=0.1, delays=0/0/0/0, dsn=2.0.0, status=sent "
#define OK "(250 2.0.0 kept)\n"
#define REMOVED(id) QMGR id ": removed\n"

START_TEST(mail_log_reads_a_message_of_postfix)
{
    ck_assert_str_eq(
        read_log(SMTPD ID ": client=home.example[10.1.2.3], sasl_method=PLAIN"
                          ", sasl_username=ann@x.org\n" CLEANUP ID
                          ": message-id=<1@x.org>\n" ACTIVE(ID, "2") LMTP ID
                 ": to=<bob@x.org>" SENT OK LMTP ID
                 ": to=<eve@x.org>" SENT OK REMOVED(ID)),
        "43201 " ID " 10.1.2.3 ann@x.org ann@x.org>bob@x.org*1,eve@x.org*1 sent;");
    ck_assert_uint_eq(statistics.lines, 6);
    ck_assert_uint_eq(statistics.messages, 1);
    ck_assert_uint_eq(statistics.unread, 0);
    ck_assert_int_eq(statistics.first_ms, NOW_MS - 3599000);
}
END_TEST

START_TEST(mail_log_counts_members_of_a_list_for_its_address)
{
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "3") LMTP ID
                              ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID
                              ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID
                              ": to=<eve@x.org>" SENT OK REMOVED(ID)),
                     "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*2,eve@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_counts_what_local_forwards)
{
    ck_assert_str_eq(
        read_log(TAKEN(ID) ACTIVE(ID, "1") CLEANUP ID2
                 ": message-id=<1@x.org>\n" LOCAL ID ": to=<all@x.org>" SENT
                 "(delivered to command: x)\n" LOCAL ID ": to=<all@x.org>" SENT
                 "(forwarded as " ID2 ")\n" REMOVED(ID) ACTIVE(ID2, "2") LMTP ID2
                 ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID2
                 ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK REMOVED(ID2)),
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*3 sent;");
}
END_TEST

#define FORWARDED LOCAL ID ": to=<all@x.org>" SENT "(forwarded as " ID2 ")\n"

START_TEST(mail_log_waits_for_what_local_forwards)
{
    /* Another message comes in between, and is the later one. */
    ck_assert_str_eq(
        read_log(TAKEN(ID) ACTIVE(ID, "1") CLEANUP ID2
                 ": message-id=<1@x.org>\n" FORWARDED REMOVED(ID) TAKEN(ID3)
                     ACTIVE(ID3, "1") LMTP ID3 ": to=<bob@x.org>" SENT OK REMOVED(ID3)
                         ACTIVE(ID2, "1") LMTP ID2
                 ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK REMOVED(ID2)),
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*1 sent;"
        "43201 " ID3 " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_counts_what_is_forwarded_twice)
{
    ck_assert_str_eq(
        read_log(TAKEN(ID) ACTIVE(ID, "1") CLEANUP ID2
                 ": message-id=<1@x.org>\n" FORWARDED REMOVED(ID) ACTIVE(ID2, "2")
                     LMTP ID2 ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK CLEANUP ID3
                              ": message-id=<1@x.org>\n" LOCAL ID2
                              ": to=<in@x.org>, orig_to=<all@x.org>" SENT
                              "(forwarded as " ID3 ")\n" REMOVED(ID2) ACTIVE(ID3, "2")
                                  LMTP ID3
                 ": to=<bob@x.org>, orig_to=<in@x.org>" SENT OK LMTP ID3
                 ": to=<joe@x.org>, orig_to=<in@x.org>" SENT OK REMOVED(ID3)),
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*3 sent;");
}
END_TEST

#define FILTER AT "postfix/smtp[4]: "
#define QUEUED(id)                                                                       \
    ", relay=127.0.0.1[127.0.0.1]:10024, delay=0.1, status=sent (250 2.0.0 from "        \
    "MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as " id ")\n"

START_TEST(mail_log_counts_what_a_filter_brings_back_once)
{
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "2") SMTPD ID2
                              ": client=localhost[127.0.0.1]\n" CLEANUP ID2
                              ": message-id=<1@x.org>\n" ACTIVE(ID2, "3") FILTER ID
                              ": to=<all@x.org>" QUEUED(ID2) FILTER ID
                              ": to=<joe@x.org>" QUEUED(ID2) REMOVED(ID) LMTP ID2
                              ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID2
                              ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID2
                              ": to=<joe@x.org>" SENT OK REMOVED(ID2)),
                     "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*2,joe@x.org*1 sent;");
    /* Lists before the filter, and behind it. */
    ck_assert_str_eq(
        read_log(TAKEN(ID) ACTIVE(ID, "3") SMTPD ID2
                 ": client=localhost[127.0.0.1]\n" CLEANUP ID2
                 ": message-id=<1@x.org>\n" ACTIVE(ID2, "4") FILTER ID
                 ": to=<joe@x.org>" QUEUED(ID2) FILTER ID
                 ": to=<eve@x.org>, orig_to=<all@x.org>" QUEUED(ID2) FILTER ID
                 ": to=<two@x.org>, orig_to=<all@x.org>" QUEUED(ID2) REMOVED(ID) LMTP ID2
                 ": to=<joe@x.org>" SENT OK LMTP ID2 ": to=<eve@x.org>" SENT OK LMTP ID2
                 ": to=<a@x.org>, orig_to=<two@x.org>" SENT OK LMTP ID2
                 ": to=<b@x.org>, orig_to=<two@x.org>" SENT OK REMOVED(ID2)),
        "43201 " ID " 10.1.2.3 ann@x.org>joe@x.org*1,all@x.org*3 sent;");
    /* What another relay here took is a message of its own. */
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "1") TAKEN(ID2) FILTER ID
                              ": to=<bob@x.org>" QUEUED(ID2) REMOVED(ID) ACTIVE(ID2, "1")
                                  LMTP ID2 ": to=<bob@x.org>" SENT OK REMOVED(ID2)),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;"
                     "43201 " ID2 " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_leaves_out_what_the_mta_made)
{
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "1") FILTER ID
                              ": to=<bob@y.org>, relay=y.org[192.0.2.1]:25, delay=1, "
                              "dsn=5.1.1, status=bounced (host y.org said: 550)\n" AT
                              "postfix/bounce[5]: " ID
                              ": sender non-delivery notification: " ID2 "\n" CLEANUP ID2
                              ": message-id=<2@x.org>\n" QMGR ID2
                              ": from=<>, size=4, nrcpt=1 (queue active)\n" REMOVED(ID)
                                  LMTP ID2 ": to=<ann@x.org>" SENT OK REMOVED(ID2)),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@y.org*1 bounced;");
}
END_TEST

START_TEST(mail_log_reads_sendmail_1)
{
    ck_assert_str_eq(
        read_log(AT "postfix/pickup[6]: " ID ": uid=0 from=<root>\n" CLEANUP ID
                    ": message-id=<1@x.org>\n" QMGR ID
                    ": from=<root@x.org>, size=4, nrcpt=1 (queue active)\n" LMTP ID
                    ": to=<ann@x.org>, orig_to=<ann>" SENT OK REMOVED(ID)),
        "43201 " ID " local root@x.org>ann*1 sent;");
}
END_TEST

#define DEFERRED(id, to)                                                                 \
    FILTER id ": to=<" to ">, relay=none, delay=1, dsn=4.4.1, status=deferred (no)\n"

START_TEST(mail_log_counts_the_first_attempt)
{
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "2") DEFERRED(ID, "bob@y.org") LMTP ID
                              ": to=<eve@x.org>" SENT OK ACTIVE(ID, "1")
                                  DEFERRED(ID, "bob@y.org") ACTIVE(ID, "1") LMTP ID
                              ": to=<bob@y.org>" SENT OK REMOVED(ID)),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@y.org*1,eve@x.org*1 sent;");
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "1") DEFERRED(ID, "bob@y.org") QMGR ID
                              ": from=<ann@x.org>, status=expired, returned to sender\n"),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@y.org*1 deferred;");
}
END_TEST

#define HOLD(id)                                                                         \
    "Nov 30 12:00:03 relay postfix/cleanup[2]: " id                                      \
    ": milter-hold: END-OF-MESSAGE from unknown[10.1.2.3]: milter triggers HOLD "        \
    "action; from=<ann@x.org> to=<all@x.org> proto=ESMTP helo=<client.example>\n"

START_TEST(mail_log_reads_what_is_held)
{
    ck_assert_str_eq(read_log(TAKEN(ID) HOLD(ID)),
                     "43203 " ID " 10.1.2.3 ann@x.org>all@x.org*0 held part;");
    ck_assert_str_eq(
        read_log(TAKEN(ID) HOLD(ID) AT "postfix/postsuper[7]: " ID ": removed\n"),
        "43203 " ID " 10.1.2.3 ann@x.org>all@x.org*0 held part;");
    /* Released an hour later, it is complete before what came after it. */
    ck_assert_str_eq(
        read_log(TAKEN(ID) HOLD(ID) TAKEN(ID2) ACTIVE(ID2, "1") LMTP ID2
                 ": to=<bob@x.org>" SENT OK REMOVED(
                     ID2) "Nov 30 13:00:00 relay postfix/postsuper[7]: " ID
                          ": released from hold\n" ACTIVE(ID, "2") LMTP ID
                 ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK LMTP ID
                 ": to=<eve@x.org>, orig_to=<all@x.org>" SENT OK REMOVED(ID)),
        "43201 " ID2 " 10.1.2.3 ann@x.org>bob@x.org*1 sent;"
        "43203 " ID " 10.1.2.3 ann@x.org>all@x.org*2 sent held;");
}
END_TEST

#define REJECT(program, stage)                                                           \
    program ID ": milter-reject: " stage " from unknown[10.1.2.3]: 5.7.1 Too many; "     \
               "from=<ann@x.org> to=<all@x.org> proto=ESMTP helo=<client.example>\n"

START_TEST(mail_log_reads_what_a_milter_rejects)
{
    ck_assert_str_eq(read_log(TAKEN(ID) REJECT(CLEANUP, "END-OF-MESSAGE")),
                     "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*0 rejected part;");
    /* A recipient alone is no message. */
    ck_assert_str_eq(read_log(TAKEN(ID) REJECT(SMTPD, "RCPT") ACTIVE(ID, "1") LMTP ID
                              ": to=<bob@x.org>" SENT OK REMOVED(ID)),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
    ck_assert_str_eq(read_log(SMTPD
                              "NOQUEUE: milter-reject: RCPT from unknown[10.1.2.3]: "
                              "451; from=<ann@x.org> to=<all@x.org>\n"),
                     "");
}
END_TEST

START_TEST(mail_log_leaves_out_what_did_not_get_into_the_queue)
{
    ck_assert_str_eq(read_log(TAKEN(ID) SMTPD ID2 ": client=unknown[10.1.2.3]\n"), "");
    ck_assert_uint_eq(statistics.messages, 0);
}
END_TEST

START_TEST(mail_log_gives_a_reused_id_to_another_message)
{
    ck_assert_str_eq(
        read_log(TAKEN("22793A64290") ACTIVE("22793A64290", "2") LMTP
                 "22793A64290: to=<bob@x.org>" SENT OK TAKEN("22793A64290")
                     ACTIVE("22793A64290", "1") LMTP
                 "22793A64290: to=<eve@x.org>" SENT OK REMOVED("22793A64290")),
        "43201 22793A64290 10.1.2.3 ann@x.org>bob@x.org*1 sent part;"
        "43201 22793A64290 10.1.2.3 ann@x.org>eve@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_follows_a_message_that_is_queued_again)
{
    ck_assert_str_eq(read_log(TAKEN(ID) HOLD(ID) AT
                              "postfix/postsuper[7]: " ID ": requeued\n" AT
                              "postfix/pickup[6]: " ID2 ": uid=102 from=<ann@x.org> "
                              "orig_id=" ID "\n" CLEANUP ID2
                              ": message-id=<1@x.org>\n" ACTIVE(ID2, "1") LMTP ID2
                              ": to=<bob@x.org>" SENT OK REMOVED(ID2)),
                     "43203 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent held;");
}
END_TEST

/* Lines that no Postfix writes: what is forwarded takes the id of what it came from. */
START_TEST(mail_log_survives_a_child_that_takes_its_parents_id)
{
    ck_assert_str_eq(read_log(CLEANUP ID ": message-id=<1>\n" CLEANUP ID2
                                         ": message-id=<2>\n" FORWARDED AT
                                         "postfix/pickup[6]: " ID
                                         ": uid=0 from=<root> orig_id=" ID2 "\n"),
                     "");
}
END_TEST

/* What a filter brings back is judged only now, and earlier than what it came from. */
START_TEST(mail_log_survives_a_child_that_is_judged)
{
    ck_assert_str_eq(read_log(TAKEN(ID) ACTIVE(ID, "1") SMTPD ID2
                              ": client=localhost[127.0.0.1]\n" LMTP ID
                              ": to=<bob@x.org>" SENT "(250 Ok: queued as " ID2
                              ")\nNov 30 12:00:00 relay postfix/cleanup[2]: " ID2
                              ": message-id=<1@x.org>\n" ACTIVE(ID2, "1") LMTP ID2
                              ": to=<bob@x.org>" SENT OK REMOVED(ID2) REMOVED(ID)),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_tells_hosts_and_instances_apart)
{
    ck_assert_str_eq(
        read_log(
            "Nov 30 12:00:01 mx1 postfix-out/submission/smtpd[1]: " ID
            ": client=unknown[10.1.2.3]\n"
            "Nov 30 12:00:01 mx2 postfix/smtpd[1]: " ID ": client=unknown[10.9.9.9]\n"
            "Nov 30 12:00:02 mx1 postfix-out/cleanup[1]: " ID ": message-id=<>\n"
            "Nov 30 12:00:02 mx2 postfix/cleanup[1]: " ID ": message-id=<>\n"
            "Nov 30 12:00:02 mx2 postfix/qmgr[1]: " ID ": from=<>, nrcpt=1 (queue)\n"
            "Nov 30 12:00:02 mx1 postfix-out/qmgr[1]: " ID ": from=<a>, nrcpt=1 (q)\n"
            "Nov 30 12:00:02 mx1 postfix-out/smtp[1]: " ID ": to=<b>, status=sent (x)\n"
            "Nov 30 12:00:02 mx2 postfix/smtp[1]: " ID ": to=<c>, status=sent (x)\n"),
        "43202 " ID " 10.1.2.3 a>b*1 sent;43202 " ID " 10.9.9.9 >c*1 sent;");
}
END_TEST

START_TEST(mail_log_reads_odd_addresses)
{
    ck_assert_str_eq(
        read_log(SMTPD ID
                 ": client=unknown[IPv6:2001:db8::1]\n" CLEANUP ID
                 ": message-id=<1@x.org>\n" QMGR ID
                 ": from=<\"a>, b\"@x.org>, size=4, nrcpt=2 (queue active)\n" LMTP ID
                 ": to=<\"x, \\\">y\"@x.org>, orig_to=<l>" SENT OK LMTP ID
                 ": to=<a\"b@x.org>" SENT OK REMOVED(ID)),
        "43201 " ID " 2001:db8::1 \"a>, b\"@x.org>l*1,a\"b@x.org*1 sent;");
}
END_TEST

START_TEST(mail_log_counts_lines_that_are_cut)
{
    ck_assert_str_eq(read_log("lay postfix/qmgr[3]: x\n" TAKEN(ID) ACTIVE(ID, "1") LMTP ID
                              ": to=<bob@x.or\n" LMTP ID ": to=<bob@x.org>, relay=x, de\n"
                              "\n"
                              "Nov 31 12:00:00 relay postfix/qmgr[3]: x\n" LMTP ID
                              ": to=<bob@x.org>" SENT OK REMOVED(ID)),
                     "43201 " ID " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
    ck_assert_uint_eq(statistics.unread, 5);
    ck_assert_uint_eq(statistics.examples[0].line, 1);
    ck_assert_str_eq(statistics.examples[0].text, "lay postfix/qmgr[3]: x");
    ck_assert_uint_eq(statistics.examples[1].line, 5);
}
END_TEST

START_TEST(mail_log_counts_no_half_of_a_line)
{
    /* Cut anywhere, a line tells the whole truth or nothing. */
    static const char *const LINES[] = {
        SMTPD ID ": client=home[10.1.2.3]",
        CLEANUP ID ": message-id=<1@x.org>",
        QMGR ID ": from=<ann@x.org>, size=4, nrcpt=12 (queue active)",
        LMTP ID ": to=<bob@x.org>, orig_to=<all@x.org>" SENT "(250 2.0.0 kept)",
    };
    static const char *const WITHOUT[] = {
        "",
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*1 sent part;",
        "43201 " ID " 10.1.2.3 >all@x.org*1 sent part;",
        "43201 " ID " 10.1.2.3 ann@x.org> open part;",
    };
    struct text log = {0};
    for (size_t cut = 0; cut < sizeof LINES / sizeof *LINES; cut++) {
        size_t whole = strlen(LINES[cut]);
        for (size_t length = 0; length < whole; length++) {
            text_reset(&log);
            for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
                text_add(&log, LINES[i], i == cut ? length : strlen(LINES[i]));
                text_add_byte(&log, '\n');
            }
            const char *told_now = read_log(text_string(&log));
            ck_assert_msg(strcmp(told_now, WITHOUT[cut]) == 0 ||
                              strcmp(told_now,
                                     "43201 " ID
                                     " 10.1.2.3 ann@x.org>all@x.org*1 sent part;") == 0,
                          "%s\n%s", text_string(&log), told_now);
        }
    }
    text_clear(&log);
}
END_TEST

START_TEST(mail_log_passes_over_other_programs)
{
    ck_assert_str_eq(read_log(AT "kernel: [ 1.0] eth0: up\n" AT
                                 "sshd[4]: to=<a@x.org>\n" AT "-- MARK --\n" AT
                                 "last message repeated 2 times\n" AT
                                 "postfix/smtpd[1]: warning: to=<x\n"),
                     "");
    ck_assert_uint_eq(statistics.lines, 5);
    ck_assert_uint_eq(statistics.unread, 0);
}
END_TEST

START_TEST(mail_log_reads_repeated_lines)
{
    ck_assert_str_eq(
        read_log(TAKEN(ID) ACTIVE(ID, "3") LMTP ID
                 ": to=<bob@x.org>, orig_to=<all@x.org>, status=sent (x)\n" LMTP
                 "message repeated 2 times: [ " ID
                 ": to=<bob@x.org>, orig_to=<all@x.org>, status=sent (x)]\n"),
        "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*3 sent;");
}
END_TEST

START_TEST(mail_log_leaves_out_what_is_too_old_or_too_young)
{
    static const char LOG[] = TAKEN(ID) HOLD(ID) TAKEN(ID2) ACTIVE(ID2, "1") LMTP ID2
        ": to=<bob@x.org>" SENT OK REMOVED(ID2);
    since_ms = NOW_MS - 3597000;
    ck_assert_str_eq(read_log(LOG),
                     "43203 " ID " 10.1.2.3 ann@x.org>all@x.org*0 held part;");
    until_ms = since_ms;
    since_ms = 0;
    ck_assert_str_eq(read_log(LOG), "43201 " ID2 " 10.1.2.3 ann@x.org>bob@x.org*1 sent;");
    ck_assert_uint_eq(statistics.messages, 1);
}
END_TEST

START_TEST(mail_log_leaves_out_what_comes_late)
{
    ck_assert_str_eq(read_log("Nov 30 12:30:00 relay postfix/smtpd[1]: " ID
                              ": client=unknown[10.1.2.3]\n"
                              "Nov 30 12:30:00 relay postfix/cleanup[1]: " ID
                              ": message-id=<>\n" ACTIVE(ID, "1") REMOVED(ID) TAKEN(ID2)
                                  ACTIVE(ID2, "1") REMOVED(ID2)),
                     "45000 " ID " 10.1.2.3 ann@x.org> open part;");
    ck_assert_uint_eq(statistics.late, 1);
}
END_TEST

START_TEST(mail_log_reads_a_log_that_is_upside_down)
{
    enum { MESSAGES = 50000 };
    struct text log = {0};
    for (int i = MESSAGES; i > 0; i--)
        text_printf(&log,
                    "2026-11-30T%02d:%02d:%02dZ mx postfix/pickup[1]: %08X64290: uid=0 "
                    "from=<a>\n"
                    "2026-11-30T%02d:%02d:%02dZ mx postfix/cleanup[1]: %08X64290: hold: "
                    "DATA; from=<a> to=<b>\n",
                    i / 3600, i / 60 % 60, i % 60, i, i / 3600, i / 60 % 60, i % 60, i);
    (void)read_log(text_string(&log));
    ck_assert_uint_eq(statistics.messages + statistics.late, MESSAGES);
    ck_assert_uint_ge(statistics.messages, 1000);
    text_clear(&log);
}
END_TEST

START_TEST(mail_log_hands_over_the_oldest_when_it_has_too_many)
{
    enum { MESSAGES = 200000 };
    struct text log = {0};
    text_add_string(&log, TAKEN(ID) HOLD(ID));
    for (int i = 0; i < MESSAGES; i++)
        text_printf(
            &log,
            "Nov 30 12:30:00 relay postfix/smtpd[1]: %08X64290: client=a[10.1.2.3]\n"
            "Nov 30 12:30:00 relay postfix/cleanup[1]: %08X64290: message-id=<>\n"
            "Nov 30 12:30:00 relay postfix/qmgr[1]: %08X64290: from=<a>, nrcpt=1 (x)\n"
            "Nov 30 12:30:00 relay postfix/lmtp[1]: %08X64290: to=<b>, status=sent\n"
            "Nov 30 12:30:00 relay postfix/qmgr[1]: %08X64290: removed\n",
            i, i, i, i, i);
    const char *all = read_log(text_string(&log));
    ck_assert_int_eq(strncmp(all, "43203 " ID " ", strlen("43203 " ID " ")), 0);
    ck_assert_uint_eq(statistics.messages, MESSAGES + 1);
    text_clear(&log);
}
END_TEST

START_TEST(mail_log_is_read_whole_or_not)
{
    static const char LOG[] = TAKEN(ID) ACTIVE(ID, "1") CLEANUP ID2
        ": message-id=<1@x.org>\n" FORWARDED REMOVED(ID) ACTIVE(ID2, "1") LMTP ID2
        ": to=<bob@x.org>, orig_to=<all@x.org>" SENT OK REMOVED(ID2) AT
        "sm-mta[1]: 6AUDfjG7000817: from=<a>, nrcpts=1, proto=ESMTP, daemon=MTA, "
        "relay=[10.1.2.3]\n" AT
        "sm-mta[1]: 6AUDfjG7000817: alias <all@x.org> => bob, joe\n" AT
        "sm-mta[1]: 6AUDfjG7000817: to=bob,joe, mailer=local, stat=Sent\n";
    static const char WHOLE[] = "43201 " ID " 10.1.2.3 ann@x.org>all@x.org*1 sent;"
                                "43201 6AUDfjG7000817 10.1.2.3 a>all@x.org*2 sent;";
    bool struck = true;
    ck_assert_str_eq(read_log(LOG), WHOLE);
    for (long n = 0; struck; n++) {
        char path[32];
        const char *paths[] = {path};
        struct error error = {0};
        struct mail_log_reading reading = {
            .paths = paths, .path_count = 1, .now_ms = NOW_MS, .each = tell};
        text_reset(&told);
        write_file(LOG, strlen(LOG), path);
        shortage_begin(n);
        enum status status = mail_log_read(&reading, &statistics, &error);
        struck = shortage_end();
        ck_assert_int_eq(status, struck ? STATUS_NOMEM : STATUS_OK);
        ck_assert(status == STATUS_NOMEM || strcmp(text_string(&told), WHOLE) == 0);
        ck_assert_int_eq(strncmp(text_string(&told), WHOLE, told.length), 0);
        (void)unlink(path);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        mail_log_reads_a_message_of_postfix,
        mail_log_counts_members_of_a_list_for_its_address,
        mail_log_counts_what_local_forwards,
        mail_log_waits_for_what_local_forwards,
        mail_log_counts_what_is_forwarded_twice,
        mail_log_counts_what_a_filter_brings_back_once,
        mail_log_leaves_out_what_the_mta_made,
        mail_log_reads_sendmail_1,
        mail_log_counts_the_first_attempt,
        mail_log_reads_what_is_held,
        mail_log_reads_what_a_milter_rejects,
        mail_log_leaves_out_what_did_not_get_into_the_queue,
        mail_log_gives_a_reused_id_to_another_message,
        mail_log_follows_a_message_that_is_queued_again,
        mail_log_survives_a_child_that_takes_its_parents_id,
        mail_log_survives_a_child_that_is_judged,
        mail_log_tells_hosts_and_instances_apart,
        mail_log_reads_odd_addresses,
        mail_log_counts_lines_that_are_cut,
        mail_log_counts_no_half_of_a_line,
        mail_log_passes_over_other_programs,
        mail_log_reads_repeated_lines,
        mail_log_leaves_out_what_is_too_old_or_too_young,
        mail_log_leaves_out_what_comes_late,
        mail_log_reads_a_log_that_is_upside_down,
        mail_log_hands_over_the_oldest_when_it_has_too_many,
        mail_log_is_read_whole_or_not,
        NULL,
    };
    return run_suite(mail_log_suite("mail_log", tests));
}
