"""Our own relays are not judged twice; a list that can't be read is no empty list."""

import pytest

from mailbraked import people
from stores import memory_only

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
