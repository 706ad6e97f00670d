"""Whom a message is held against: logins, senders, clients."""

import pytest

from mailbraked import people
from stores import memory_only

BOB = "bob@district.example"


def rate(count, key="sender", more=""):
    return (
        f'{{ name = "rate"; key = "{key}"; limit = "{count} messages per 366d";'
        f' action = "reject"; {more} }}'
    )


ANNOUNCE = """
    { name = "announce"; from = ["communications"]; to = ["list:*"]; action = "accept"; },
    { name = "list-posting"; from_not = ["communications"]; to = ["list:*"]; action = "reject"; }"""
SUPERINTENDENT = "superintendent@district.example"


@pytest.mark.parametrize("element", ["login:superintendent", SUPERINTENDENT])
def test_a_forged_superintendent_has_no_right_of_hers(relay, element):
    mail = relay(
        rules=ANNOUNCE,
        groups={"communications": [element]},
        trusted=["client:local", "client:10.9.0.0/16"],
        lists={"allstudents": people(20)},
    )
    to = "allstudents@district.example"
    headers = {"From": SUPERINTENDENT}
    forged = mail.send(SUPERINTENDENT, to, client="203.0.113.7", headers=headers)
    assert forged.code == 550 and "[mailbrake list-posting]" in forged.text
    pupil = mail.send(SUPERINTENDENT, to, login="pupil", headers=headers)
    assert pupil.code == 550
    assert mail.delivered() == []
    assert mail.send("anything@district.example", to, login="superintendent").accepted
    assert mail.delivered().copies == 20
    # An address, not a login, is also believed from a trusted client.
    trusted = mail.send(SUPERINTENDENT, to, client="10.9.1.1")
    assert trusted.accepted == (element == SUPERINTENDENT)


def test_a_login_with_and_without_its_realm_is_one(relay):
    mail = relay(rules=rate(3))
    for login in ("alice", "alice@district.example", "ALICE"):
        assert mail.send(BOB, BOB, login=login).accepted, login
    for login in ("alice", "alice@district.example", "Alice@District.Example"):
        assert mail.send(BOB, BOB, login=login).code == 550, login
    assert {v.identity for v in mail.log(6)} == {"login:alice@district.example"}
    assert mail.send(BOB, BOB, login="alice@school.example").accepted  # another person


SPELLINGS = [
    "<U@district.example>",
    "<u@district.example>",
    '<"u"@district.example>',
    "<@relay.example:u@district.example>",
    "<u(comment)@district.example>",
    "<u+tag@district.example>",
]


def test_six_spellings_of_a_sender_are_one_bucket(relay):
    mail = relay(rules=rate(len(SPELLINGS)))
    for spelling in SPELLINGS:
        assert mail.send(spelling, BOB).accepted, spelling
    for spelling in SPELLINGS:
        assert mail.send(spelling, BOB).code == 550, spelling
    assert {v.identity for v in mail.log(12)} == {"sender:u@district.example"}


def test_two_hundred_senders_under_one_login_are_one_bucket(relay):
    mail = relay(rules=rate(100))
    session = mail.connect(login="alice")
    codes = [session.message(f"s{i}@x{i}.example", BOB).code for i in range(200)]
    assert codes == [250] * 100 + [550] * 100


def test_nobody_without_the_login_can_spend_its_bucket(relay):
    mail = relay(rules=rate(2))
    alice = "alice@district.example"
    assert [mail.send(alice, BOB).code for _ in range(3)] == [250, 250, 550]
    assert [mail.send(alice, BOB, login="alice").code for _ in range(3)] == [250, 250, 550]


def test_the_null_sender_is_limited_by_client(relay):
    mail = relay(rules=rate(2))
    assert [mail.send("", BOB, client="10.1.2.3").code for _ in range(3)] == [250, 250, 550]
    assert mail.send("", BOB, client="10.1.2.4").accepted
    assert mail.log(4)[0].identity == "client:10.1.2.3"


def test_the_null_sender_may_not_reach_many(relay):
    mail = relay(
        rules='{ name = "null-to-many"; from = ["<>"]; reach_over = 20; action = "reject"; }',
        lists={"many": people(21)},
    )
    assert mail.send("", "many@district.example").code == 550
    assert mail.send(BOB, "many@district.example").accepted


def test_an_ipv6_network_is_one_client(relay):
    mail = relay(rules=rate(2, "client"))
    assert mail.send("a@x.example", BOB, client="2001:db8:1:2::1").accepted
    assert mail.send("b@x.example", BOB, client="2001:db8:1:2:ffff::9").accepted
    assert mail.send("c@x.example", BOB, client="2001:db8:1:2::3").code == 550
    assert mail.send("d@x.example", BOB, client="2001:db8:1:3::1").accepted


@memory_only
def test_a_pupil_is_known_by_list_only_when_logged_in(relay):
    """from = list: is a right or a limit of the login; a stranger's MAIL FROM is nobody."""
    mail = relay(
        rules="""
        { name = "pupils"; from = ["list:pupils@district.example"]; action = "accept"; },
        { name = "others"; action = "reject"; }""",
        lists={"pupils": ["kim", "lee", "sam"]},
    )
    assert mail.send("kim@district.example", BOB, login="kim").accepted
    assert mail.send("kim@district.example", BOB, client="203.0.113.7").code == 550
    assert mail.send("kim@district.example", BOB, login="eve").code == 550
