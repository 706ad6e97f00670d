"""What a week was like: what was stopped, what monitor would have stopped, who sent most."""

from helper import helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import memory_only, redis_only
from test_admin import ANN, BOB, CLASS, administered  # noqa: F401, a fixture

CAP = '{ name = "cap"; reach_over = 4; action = "reject"; mode = "monitor"; }'
RATE = (
    '{ name = "rate"; key = "sender"; limit = "2 messages per 366d"; action = "quarantine";'
    ' mode = "monitor"; }'
)
CLOSED = '{ name = "closed"; from = [ "<>" ]; action = "reject"; }'


def would(mail, count=None):
    def incidents():
        return mail.json("incidents", "--would")["incidents"]

    if count is not None:
        wait_until(lambda: sum(i["would"] for i in incidents()) == count, 10, "", incidents)
    return incidents()


def test_what_would_have_been_stopped_is_an_incident(administered):  # noqa: F811
    mail = administered(rules=f"{CAP}, {RATE}, {CLOSED}")
    for _ in range(4):
        assert mail.send(ANN, CLASS).accepted
    assert mail.send(BOB, CLASS).accepted
    assert mail.send("", BOB).code == 550
    found = {(i["rule"], i["key"]): i for i in would(mail, 7)}
    assert {key: (i["would"], i["action"]) for key, i in found.items()} == {
        ("cap", f"sender:{ANN}"): (4, "reject"),
        ("cap", f"sender:{BOB}"): (1, "reject"),
        ("rate", f"sender:{ANN}"): (2, "quarantine"),
    }
    cap = found["cap", f"sender:{ANN}"]
    assert cap["reach"] == 5 and cap["copies"] == 20 and cap["lists"] == [CLASS]
    assert cap["held"] == cap["refused"] == cap["deferred"] == 0 and cap["limit"] == "reach over 4"
    assert "2 messages per" in found["rate", f"sender:{ANN}"]["limit"]
    # They are no incidents that anybody must look at.
    wait_until(lambda: mail.json("incidents")["incidents"], 10, "no incident")
    assert [i["rule"] for i in mail.json("incidents")["incidents"]] == ["closed"]
    assert mail.json("status")["incidents"] == 1
    table = mail.ok("incidents", "--would")
    assert "WOULD" in table and f"sender:{ANN}" in table and "closed" not in table
    page = mail.ok("incidents", "show", cap["id"])
    assert "4 messages: reject" in page
    mail.daemon.stop()
    mail.daemon.start()
    assert sum(i["would"] for i in would(mail)) == 7


@redis_only
def test_global_monitor_ends_in_a_list(administered):  # noqa: F811
    rules = '{ name = "cap"; reach_over = 4; action = "reject"; }, ' + CLOSED
    mail = administered(mode="monitor", rules=rules)
    assert mail.send(ANN, CLASS).accepted and mail.send("", BOB).accepted
    assert mail.send(ANN, BOB).accepted
    assert {(i["rule"], i["would"]) for i in would(mail, 2)} == {("cap", 1), ("closed", 1)}
    assert mail.json("incidents", "--would", "list")["incidents"] == would(mail)
    assert mail.json("incidents", "--all")["incidents"] == []


@memory_only
def test_a_monitor_rule_that_accepts_would_stop_nothing(administered):  # noqa: F811
    mail = administered(rules='{ name = "open"; action = "accept"; mode = "monitor"; }, ' + CAP)
    assert mail.send(ANN, CLASS).accepted
    assert [i["rule"] for i in would(mail, 1)] == ["cap"]
