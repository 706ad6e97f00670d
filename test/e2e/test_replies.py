"""What the sender is told, and that a message is taken whole or not at all."""

import pytest

from mailbraked import people
from stores import memory_only

ANN = "ann@district.example"


def test_a_threshold_says_its_numbers(relay):
    mail = relay(rules='{ name = "cap"; reach_over = 2; action = "reject"; }')
    reply = mail.send(ANN, people(3))
    assert reply.code == 550
    assert reply.text.startswith("5.7.1 ")
    assert reply.text.endswith("(reach 3, limit 2) [mailbrake cap]")


def test_a_bucket_says_its_numbers(relay):
    mail = relay(
        rules='{ name = "rate"; key = "sender"; limit = "5 recipients per 366d"; action = "defer"; }'
    )
    assert mail.send(ANN, people(3)).accepted
    reply = mail.send(ANN, people(3))
    assert reply.code == 450
    assert reply.text.startswith("4.7.1 ")
    assert reply.text.endswith("(cost 3, left 2 of 5) [mailbrake rate]")


def test_the_reason_is_the_administrators(relay):
    mail = relay(
        rules='{ name = "cap"; reach_over = 2; action = "reject";'
        ' reason = "At most two, 100% sure."; }'
    )
    reply = mail.send(ANN, people(3))
    assert reply.text == "5.7.1 At most two, 100% sure. (reach 3, limit 2) [mailbrake cap]"


@memory_only
def test_a_threshold_under_defer_is_temporary(relay):
    mail = relay(rules='{ name = "cap"; reach_over = 2; action = "defer"; }')
    assert mail.send(ANN, people(3)).code == 450


def test_a_cost_above_the_burst_is_permanent_on_a_fresh_bucket(relay):
    mail = relay(
        rules='{ name = "rate"; key = "sender"; limit = "5 recipients per 1h"; action = "defer"; }',
        lists={"six": people(6)},
    )
    reply = mail.send(ANN, "six@district.example")
    assert reply.code == 550
    assert reply.text.startswith("5.7.1 ") and "(cost 6, left 5 of 5)" in reply.text
    assert mail.send(ANN, people(5)).accepted  # and it cost nothing


@pytest.mark.parametrize("forbidden_first", [True, False])
def test_a_message_is_never_half_accepted(relay, forbidden_first):
    """One recipient too many, in whatever place: no RCPT is refused, and nobody gets it."""
    mail = relay(
        rules='{ name = "closed"; to = ["list:staff@district.example"]; action = "reject"; }',
        lists={"staff": people(3)},
    )
    to = ["staff@district.example", "friend@district.example"]
    reply = mail.send(ANN, to if forbidden_first else to[::-1])
    assert reply.code == 550 and "[mailbrake closed]" in reply.text
    assert mail.delivered() == [] and mail.held() == []
    assert mail.send(ANN, "friend@district.example").accepted


@memory_only
def test_the_first_rule_that_fires_decides(relay):
    mail = relay(
        rules="""
        { name = "two"; reach_over = 2; action = "defer"; },
        { name = "one"; reach_over = 1; action = "reject"; },
        { name = "none"; reach_over = 0; action = "accept"; },
        { name = "late"; action = "reject"; }"""
    )
    assert [mail.send(ANN, people(n)).code for n in (3, 2, 1)] == [450, 550, 250]
    assert [verdict.rule for verdict in mail.log(3)] == ["two", "one", "none"]


@memory_only
def test_hostile_words_stay_out_of_reply_and_log(relay):
    mail = relay(rules='{ name = "closed"; action = "reject"; }')
    reply = mail.send(
        '<"%n <script>"@x.example>',
        "a@b.example",
        headers=[("Subject", "%s%n\x1b[31m\u202e\udcff"), ("X-Big", "y" * 900)],
    )
    assert reply.code == 550 and "script" not in reply.text
    assert all(32 <= ord(c) < 127 for line in mail.daemon.lines() for c in line)
