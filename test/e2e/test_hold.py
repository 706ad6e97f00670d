"""Quarantine: the MTA keeps the message, with a header that tells why. And mail of
sendmail(1), where a deferral is a hold."""

import re

import pytest

from mailbraked import people

ANN, BOB = "ann@district.example", "bob@district.example"
HOLD_MANY = '{ name = "many"; reach_over = 2; action = "quarantine"; }'


def test_a_held_message_is_in_the_hold_queue_with_its_header(relay):
    mail = relay(rules=HOLD_MANY, lists={"three": people(3)})
    assert mail.send(ANN, "three@district.example").accepted
    (held,) = mail.held()
    assert held.sender == ANN
    assert sorted(held.recipients) == people(3)
    assert held.brake["rule"] == "many"
    assert held.brake["reach"] == "3"
    assert re.fullmatch("[0-9a-f]{16}", held.brake["incident"])
    assert held.brake["id"]
    verdict = mail.verdict()
    assert (verdict.verdict, verdict.rule) == ("quarantine", "many")
    assert verdict.qid == held.id
    assert mail.delivered() == []


def test_a_header_that_came_in_is_removed(relay):
    mail = relay(rules=HOLD_MANY)
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


def test_held_messages_have_different_ids(relay):
    mail = relay(rules=HOLD_MANY)
    for _ in range(3):
        assert mail.send(ANN, people(3)).accepted
    assert len({held.brake["id"] for held in mail.held()}) == 3


def test_a_released_message_is_delivered_and_not_judged_again(relay, postfix):
    mail = relay(rules=HOLD_MANY)
    assert mail.send(ANN, people(3)).accepted
    (held,) = mail.held()
    postfix.release(held.id)
    assert mail.delivered().copies == 3
    assert len(mail.log()) == 1


def test_what_is_held_costs_nothing(relay):
    rate = '{ name = "rate"; key = "sender"; limit = "2 messages per 366d"; action = "reject"; }'
    mail = relay(rules=f"{rate}, {HOLD_MANY}")
    for _ in range(4):
        assert mail.send(ANN, people(3)).accepted
    assert len(mail.held()) == 4
    assert [mail.send(ANN, BOB).code for _ in range(3)] == [250, 250, 550]


def test_sendmail_is_judged_too(relay):
    mail = relay(rules='{ name = "closed"; reach_over = 2; action = "reject"; }')
    verdict = mail.sendmail("script@district.example", BOB)
    assert (verdict.verdict, verdict.identity, verdict.client) == ("accept", "client:local", "local")
    assert mail.delivered().copies == 1
    verdict = mail.sendmail("script@district.example", people(3))
    assert (verdict.verdict, verdict.rule) == ("reject", "closed")
    copies = mail.delivered()
    assert not set(people(3)) & set(copies.by_recipient())
    assert mail.held() == []


@pytest.mark.parametrize("over", ["threshold", "limit"])
def test_a_deferral_of_sendmail_is_a_hold(relay, over):
    condition = {
        "threshold": "reach_over = 2;",
        "limit": 'key = "client"; limit = "2 recipients per 366d"; burst = 3;',
    }[over]
    mail = relay(rules=f'{{ name = "later"; {condition} action = "defer"; }}')
    if over == "limit":
        assert mail.sendmail("script@district.example", BOB).verdict == "accept"
    verdict = mail.sendmail("script@district.example", people(3))
    assert (verdict.verdict, verdict.rule) == ("quarantine", "later")
    (held,) = mail.held()  # and nothing stays in maildrop
    assert sorted(held.recipients) == people(3)
    assert held.brake["rule"] == "later"


def test_scripts_share_one_bucket_whatever_they_call_themselves(relay):
    mail = relay(
        rules='{ name = "rate"; key = "sender"; limit = "2 messages per 366d"; action = "quarantine"; }'
    )
    verdicts = [mail.sendmail(f"script{i}@x.example", BOB).verdict for i in range(4)]
    assert verdicts == ["accept"] * 2 + ["quarantine"] * 2
    assert len(mail.held()) == 2


def test_origin_tells_scripts_from_clients(relay):
    mail = relay(rules='{ name = "scripts"; origin = "local"; action = "quarantine"; }')
    assert mail.sendmail(ANN, BOB).verdict == "quarantine"
    assert mail.send(ANN, BOB).accepted
    assert mail.log()[-1].verdict == "accept"
