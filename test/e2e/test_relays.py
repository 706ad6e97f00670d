"""Our own relays are not judged twice, and status lists them; a list that can't be read is
no empty list."""

import json
import re

import pytest

from mailbraked import Command, people
from stores import memory_only, redis_only

ANN, BOB = "ann@district.example", "bob@district.example"
STRICT = """
    { name = "rate"; key = "all"; limit = "1 messages per 366d"; action = "reject"; },
    { name = "cap"; reach_over = 2; action = "reject"; }"""


def test_mail_of_our_relays_is_neither_judged_nor_charged(relay):
    mail = relay(rules=STRICT, relays=["client:10.0.0.2", "client:2001:db8::/32"])
    for client in ("10.0.0.2", "2001:db8::7"):
        for _ in range(3):
            assert mail.send(ANN, people(5), client=client).accepted
    assert [mail.send(ANN, BOB).code for _ in range(2)] == [250, 550]


@memory_only
@pytest.mark.parametrize("action, code", [(None, 450), ("reject", 550), ("defer", 450)])
def test_mail_to_an_unknown_list_gets_lists_unknown(relay, folder, action, code):
    mail = relay(
        rules='{ name = "anything"; action = "accept"; }',
        sources=[{"address": "ghost@district.example", "file": str(folder / "no-such-file.txt")}],
        lists={"known": people(3)},
        **({"lists_unknown": action} if action else {}),
    )
    mail.expect_log(r"no-such-file\.txt")
    assert mail.send(ANN, "known@district.example").accepted
    assert mail.send(ANN, BOB).accepted
    reply = mail.send(ANN, "ghost@district.example")
    assert reply.code == code, reply
    assert mail.send(ANN, ["known@district.example", "ghost+x@district.example"]).code == code
    assert mail.delivered().copies == 4


@memory_only
def test_an_unknown_list_can_be_held_or_accepted(relay, folder):
    for action, held in (("quarantine", 1), ("accept", 0)):
        mail = relay(
            rules="",
            lists_unknown=action,
            sources=[
                {"address": "ghost@district.example", "file": str(folder / "no-such-file.txt")}
            ],
        )
        mail.expect_log(r"no-such-file\.txt")
        assert mail.send(ANN, "ghost@district.example").accepted
        assert len(mail.held()) == held
        assert [bool(message.brake["id"]) for message in mail.held()] == [True] * held
        mail.postfix.clean()
        mail.daemon.kill()


@redis_only
def test_status_lists_the_relays_by_name(mailbraked, build, store):
    """Each with what it says of itself; the third has other rules than the first two."""
    rules = [STRICT, STRICT, '{ name = "cap"; reach_over = 3; action = "reject"; }']
    daemons = [mailbraked(store, rules=text, relay=f"mx{i}") for i, text in enumerate(rules, 1)]
    for daemon in daemons:
        daemon.allow_log("has different rules")
    command = Command(build, daemons[0].config)
    status = json.loads(command.run("status", "--json").stdout)
    assert status["host"] == "mx1"
    relays = {relay["host"]: relay for relay in status["relays"]}
    assert sorted(relays) == ["mx1", "mx2", "mx3"]
    assert all(relay["answers"] and relay["holds"] == 0 for relay in relays.values()), relays
    assert {relay["version"] for relay in relays.values()} == {status["version"]}
    assert len({relay["key"] for relay in relays.values()}) == 1
    assert relays["mx1"]["rules"] == relays["mx2"]["rules"] != relays["mx3"]["rules"]
    page = command.run("status").stdout
    assert re.search(rf"other relay +mx2, version {status['version']}, holds 0\n", page), page
    assert re.search(r"other relay +mx3, .*; WARNING: it has other rules\n", page), page
