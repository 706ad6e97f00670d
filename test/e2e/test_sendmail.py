"""The same brake on Sendmail 8.17: what differs is who asks, in which words, and how a
message is held."""

import re

import pytest

from mailbraked import people
from sendmail import sendmail_program, sendmail_relay  # noqa: F401, fixtures

ANN, BOB = "ann@district.example", "bob@district.example"
CAP_50 = (
    '{ name = "small"; reach_over = 50; action = "reject"; reason = "At most 50, 100% sure."; }'
)
HOLD_MANY = '{ name = "many"; reach_over = 2; action = "quarantine"; }'
ONE_A_YEAR = (
    '{ name = "rate"; key = "sender"; limit = "1 messages per 366d"; action = "reject"; }'
)


def alias(name, members):
    return f"{name}: {', '.join(m.removesuffix('@district.example') for m in members)}\n"


def test_sendmail_delivers_what_no_rule_stops(sendmail_relay):
    mail = sendmail_relay(rules=CAP_50)
    to = [BOB, "eve@school.example", "far@away.example"]
    assert mail.send(ANN, to).accepted
    assert mail.delivered().by_recipient() == {
        BOB: 1,
        "eve@district.example": 1,  # own domains are one to Sendmail's local mailer
        "far@away.example": 1,
    }
    verdict = mail.verdict()
    assert (verdict.verdict, verdict.reach, verdict.rcpts) == ("accept", "3", "3")
    assert (verdict.identity, verdict.client) == (f"sender:{ANN}", "127.1.2.3")
    assert re.fullmatch(r"[0-9A-Za-z]{14,}", verdict.qid)


def test_an_alias_counts_whom_it_reaches(sendmail_relay):
    mail = sendmail_relay(
        rules=CAP_50, aliases=alias("fifty", people(50)) + alias("more", people(51))
    )
    refused = mail.send(ANN, "more@district.example")
    assert refused.code == 550
    assert refused.text == "5.7.1 At most 50, 100% sure. (reach 51, limit 50) [mailbrake small]"
    assert mail.delivered() == []
    assert mail.send(ANN, "fifty@district.example").accepted
    assert mail.delivered().by_recipient() == dict.fromkeys(people(50), 1)


def test_aliases_in_aliases_and_included_files_count(sendmail_relay, folder):
    included = folder / "included"
    included.write_text("".join(f"{member}\n" for member in people(30, "q")))
    mail = sendmail_relay(
        rules=CAP_50,
        aliases=f"all: left, right\nright: :include:{included}\n" + alias("left", people(20)),
    )
    assert mail.send(ANN, "all@district.example").accepted
    assert mail.verdict().reach == "50"
    assert mail.delivered().by_recipient() == dict.fromkeys(people(20) + people(30, "q"), 1)
    assert mail.send(ANN, ["all@district.example", BOB]).code == 550


@pytest.mark.parametrize(
    "spelling",
    [
        "more+tag@district.example",
        "MORE@District.Example",
        "More+Tag@school.example",
        '"more"@district.example',
        "@relay.district.example:more@district.example",
        "more%district.example@school.example",
        "more@[127.0.0.1]",
        "more@localhost",
        "more@relay.district.example",
        "more",
    ],
)
def test_a_list_counts_in_each_spelling_that_sendmail_expands(sendmail_relay, spelling):
    rules = '{ name = "small"; reach_over = 3; action = "reject"; }'
    mail = sendmail_relay(rules=rules, aliases=alias("more", people(4)) + alias("few", people(3)))
    assert "(reach 4, limit 3)" in mail.send(ANN, f"<{spelling}>").text
    few = re.sub("more", "few", spelling, flags=re.IGNORECASE)
    assert mail.send(ANN, f"<{few}>").accepted
    assert mail.delivered().by_recipient() == dict.fromkeys(people(3), 1)


def test_a_list_of_one_own_domain_is_found_in_it(sendmail_relay, folder):
    """Sendmail tells a milter the user's name alone: the domain is in the command."""
    members = folder / "members"
    members.write_text("".join(f"{member}\n" for member in people(3)))
    mail = sendmail_relay(
        rules='{ name = "cap"; reach_over = 2; action = "reject"; }',
        sources=[{"address": "staff@school.example", "file": str(members)}],
    )
    assert mail.send(ANN, "Staff@School.Example").code == 550
    assert mail.send(ANN, "staff@district.example").accepted


def test_senders_of_two_own_domains_are_two(sendmail_relay):
    mail = sendmail_relay(rules=ONE_A_YEAR)
    assert mail.send("ann@district.example", BOB).accepted
    assert mail.send("ann@school.example", BOB).accepted
    assert mail.send("Ann+tag@school.example", BOB).code == 550
    assert [v.identity for v in mail.log(3)] == [
        "sender:ann@district.example",
        "sender:ann@school.example",
        "sender:ann@school.example",
    ]


def test_a_login_is_whom_it_is_held_against(sendmail_relay):
    mail = sendmail_relay(rules=ONE_A_YEAR)
    assert mail.send(ANN, BOB, login="alice").accepted
    assert mail.send("other@x.example", BOB, login="Alice").code == 550
    assert mail.send(ANN, BOB).accepted
    assert mail.log(1)[0].identity == "login:alice@district.example"


def test_the_null_sender_is_held_against_its_client(sendmail_relay):
    mail = sendmail_relay(rules=ONE_A_YEAR)
    assert [mail.send("", BOB).code for _ in range(2)] == [250, 550]
    assert mail.send("", BOB, client="127.1.2.4").accepted
    assert mail.log(1)[0].identity == "client:127.1.2.3"


def test_a_deferral_is_450(sendmail_relay):
    mail = sendmail_relay(rules='{ name = "later"; reach_over = 2; action = "defer"; }')
    reply = mail.send(ANN, people(3))
    assert reply.code == 450
    assert reply.text.startswith("4.7.1 ")
    assert reply.text.endswith("(reach 3, limit 2) [mailbrake later]")
    assert mail.delivered() == []


def test_a_held_message_is_in_sendmails_quarantine(sendmail_relay):
    mail = sendmail_relay(rules=HOLD_MANY, aliases=alias("three", people(3)))
    assert mail.send(ANN, "three@district.example").accepted
    (held,) = mail.held()
    assert held.reason == "mailbrake many, reach 3"
    assert held.sender == ANN
    assert (held.brake["rule"], held.brake["reach"]) == ("many", "3")
    verdict = mail.verdict()
    assert (verdict.verdict, verdict.qid) == ("quarantine", held.id)
    mail.mta.run("-q")  # a queue run leaves it alone
    assert mail.delivered() == []
    assert [h.id for h in mail.held()] == [held.id]


def test_a_header_that_came_in_is_removed(sendmail_relay):
    mail = sendmail_relay(rules=HOLD_MANY)
    forged = [
        ("X-Mailbrake", "id=forged rule=none incident=- reach=1"),
        ("Subject", "hello"),
        ("x-mailbrake", "id=forged2"),
        ("X-MAILBRAKE", "id=forged3"),
    ]
    assert mail.send(ANN, people(3), headers=forged).accepted
    (held,) = mail.held()
    assert held.brake["rule"] == "many"
    assert "forged" not in str(held.headers)
    assert mail.send(ANN, BOB, headers=forged).accepted
    (delivery,) = mail.delivered()
    assert delivery["X-Mailbrake"] is None


def test_a_released_message_is_delivered_once_and_not_judged_again(sendmail_relay):
    mail = sendmail_relay(rules=HOLD_MANY, aliases=alias("three", people(3)))
    for subject in ("first", "second"):
        assert mail.send(ANN, "three@district.example", headers={"Subject": subject}).accepted
    by_subject = {held.headers["Subject"]: held for held in mail.held()}
    first, second = by_subject["first"], by_subject["second"]
    mail.mta.release(first.id)
    mail.mta.release(first.id)
    (delivery,) = mail.delivered()
    assert delivery["Subject"] == "first"
    assert sorted(delivery.recipients) == people(3)
    assert [held.id for held in mail.held()] == [second.id]
    assert len(mail.log()) == 2


def test_messages_on_one_connection_dont_leak(sendmail_relay):
    """Sendmail sends no ABORT after a message that was accepted or refused."""
    rules = f"""
        {{ name = "huge"; reach_over = 4; action = "reject"; }},
        {{ name = "large"; reach_over = 3; action = "defer"; }},
        {HOLD_MANY}"""
    mail = sendmail_relay(rules=rules)
    session = mail.connect()
    codes = []
    for number, count in enumerate([2, 5, 2, 4, 2, 3, 1]):
        sender = f"s{number}@x.example"
        codes.append(session.message(sender, people(count, f"m{number}-")).code)
    assert codes == [250, 550, 250, 450, 250, 250, 250]
    assert [(v.identity, v.rcpts, v.reach, v.verdict) for v in mail.log(7)] == [
        ("sender:s0@x.example", "2", "2", "accept"),
        ("sender:s1@x.example", "5", "5", "reject"),
        ("sender:s2@x.example", "2", "2", "accept"),
        ("sender:s3@x.example", "4", "4", "defer"),
        ("sender:s4@x.example", "2", "2", "accept"),
        ("sender:s5@x.example", "3", "3", "quarantine"),
        ("sender:s6@x.example", "1", "1", "accept"),
    ]
    assert mail.delivered().copies == 7
    (held,) = mail.held()
    assert sorted(held.recipients) == people(3, "m5-")


def test_a_reset_costs_nothing(sendmail_relay):
    mail = sendmail_relay(rules=ONE_A_YEAR)
    session = mail.connect()
    for _ in range(3):
        session.envelope(ANN, BOB.split())
        assert session.rset()[0] == 250
    assert session.message(ANN, BOB).accepted
    assert session.message(ANN, BOB).code == 550
    assert [(v.rcpts, v.verdict) for v in mail.log(2)] == [("1", "accept"), ("1", "reject")]


def test_sendmail_1_is_judged_as_local(sendmail_relay):
    """It hands its mail to the daemon by SMTP from 127.0.0.1."""
    mail = sendmail_relay(
        rules='{ name = "scripts"; origin = "local"; reach_over = 2; action = "quarantine"; }'
    )
    verdict = mail.sendmail(ANN, BOB)
    assert (verdict.verdict, verdict.identity) == ("accept", "client:local")
    assert verdict.client == "local"
    assert mail.delivered().by_recipient() == {BOB: 1}
    assert mail.sendmail(ANN, people(3)).verdict == "quarantine"
    (held,) = mail.held()
    assert sorted(held.recipients) == people(3)
    assert mail.send(ANN, people(3)).accepted
    assert mail.log()[-1].verdict == "accept"


def test_recipients_that_sendmail_1_reads_from_the_header_count(sendmail_relay):
    mail = sendmail_relay(rules='{ name = "closed"; reach_over = 2; action = "quarantine"; }')
    text = f"From: {ANN}\nTo: {', '.join(people(2))}\nBcc: {BOB}\nSubject: hello\n\nHello.\n"
    mail.mta.submit("-t", "-i", text=text.encode())
    assert (mail.verdict().verdict, mail.log()[-1].reach) == ("quarantine", "3")


def test_smtp_on_standard_input_is_local(sendmail_relay):
    mail = sendmail_relay(rules=CAP_50)
    with mail.mta.on_standard_input() as session:
        session.sendmail(ANN, [BOB], "Subject: hello\r\n\r\nHello.\r\n")
    verdict = mail.verdict()
    assert (verdict.verdict, verdict.identity) == ("accept", "client:local")
    assert mail.delivered().by_recipient() == {BOB: 1}


def test_without_the_milter_mail_waits(sendmail_relay):
    """F=T: no daemon is no reason to let mail pass."""
    mail = sendmail_relay(rules=CAP_50)
    mail.daemon.kill()
    assert mail.connect().docmd("MAIL", f"FROM:<{ANN}>")[0] == 451
    mail.daemon.start()
    assert mail.send(ANN, BOB).accepted
    assert mail.delivered().copies == 1
