"""Several messages on a connection, and messages that never end."""

import time

from mailbraked import people

ANN = "ann@district.example"
ONE_A_YEAR = (
    '{ name = "rate"; key = "sender"; limit = "1 messages per 366d"; action = "reject"; }'
)
CAP_50 = '{ name = "small"; reach_over = 50; action = "reject"; }'


def test_a_reset_costs_nothing(relay):
    mail = relay(rules=ONE_A_YEAR)
    session = mail.connect()
    for _ in range(3):
        session.envelope(ANN, "bob@district.example")
        assert session.rset()[0] == 250
    assert session.message(ANN, "bob@district.example").accepted
    assert session.message(ANN, "bob@district.example").code == 550
    assert mail.delivered().copies == 1


def test_a_connection_lost_after_data_costs_nothing(relay):
    mail = relay(rules=ONE_A_YEAR)
    for unfinished in (b"", b"Subject: hello\r\n", b"Subject: hello\r\n\r\nHello, I am\r\n"):
        session = mail.connect()
        session.envelope(ANN, "bob@district.example")
        assert session.docmd("DATA")[0] == 354
        session.send(unfinished)
        session.vanish()
    time.sleep(0.2)  # for smtpd to notice
    assert mail.send(ANN, "bob@district.example").accepted
    assert mail.send(ANN, "bob@district.example").code == 550
    assert len(mail.delivered()) == 1
    assert [v.verdict for v in mail.log(2)] == ["accept", "reject"]


def test_three_messages_on_one_connection_dont_leak(relay):
    mail = relay(rules=CAP_50, lists={"many": people(51)})
    session = mail.connect()
    assert session.message(ANN, people(30)).accepted
    assert session.message("bob@district.example", "many@district.example").code == 550
    assert session.message("eve@district.example", people(30, "q")).accepted
    assert [(v.reach, v.rcpts, v.identity) for v in mail.log(3)] == [
        ("30", "30", "sender:ann@district.example"),
        ("51", "1", "sender:bob@district.example"),
        ("30", "30", "sender:eve@district.example"),
    ]
    assert mail.delivered().copies == 60


def test_recipients_before_a_reset_are_forgotten(relay):
    mail = relay(rules=CAP_50)
    session = mail.connect()
    session.envelope(ANN, people(49))
    session.rset()
    session.envelope("bob@district.example", people(49, "q"))
    session.docmd("NOOP")
    session.rset()
    assert session.message("eve@district.example", people(2, "r")).accepted
    verdict = mail.verdict()
    assert (verdict.reach, verdict.identity) == ("2", "sender:eve@district.example")


def test_headers_of_an_earlier_message_are_forgotten(relay):
    mail = relay(rules='{ name = "shown"; visible_over = 3; action = "reject"; }')
    session = mail.connect()
    shown = ", ".join(people(3))
    for _ in range(3):
        assert session.message(ANN, "bob@district.example", {"To": shown}).accepted
    four = ", ".join(people(4))
    assert session.message(ANN, "bob@district.example", {"To": four}).code == 550
    assert session.message(ANN, "bob@district.example", {"To": shown}).accepted


def test_what_is_refused_costs_nothing(relay):
    mail = relay(
        rules=f"""
        {{ name = "rate"; key = "sender"; limit = "2 messages per 366d"; action = "reject"; }},
        {CAP_50}"""
    )
    for _ in range(5):
        assert "[mailbrake small" in mail.send(ANN, people(51)).text
    assert [mail.send(ANN, "bob@district.example").code for _ in range(3)] == [250, 250, 550]
