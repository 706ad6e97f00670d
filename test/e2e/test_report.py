"""What a week was like: what was stopped, what monitor would have stopped, who sent most."""

import re
import time

from helper import helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import memory_only, redis_only
from test_admin import ANN, BOB, CLASS, HOLD_MANY, administered  # noqa: F401, a fixture

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


def test_what_would_have_been_stopped_is_an_incident(administered, store):  # noqa: F811
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
    assert "4 messages: reject" in page and "20 copies in all\n" in page
    assert "closed" in mail.ok("incidents", "close", cap["id"])
    assert mail.json("incidents", "show", cap["id"])["open"] is False
    if store["type"] == "redis":  # in memory, the state file keeps all collections alike
        mail.daemon.kill()
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


@memory_only
def test_monitor_tells_what_it_would_have_held_for_a_list(administered):  # noqa: F811
    """A list that can't be read would have had its mail held, though by no rule."""
    unread = {"address": CLASS, "file": "/nowhere/class.txt"}
    mail = administered(
        mode="monitor", rules=CAP, lists={}, sources=[unread], lists_unknown="quarantine"
    )
    mail.daemon.allow_log("/nowhere/class.txt")
    assert mail.send(ANN, CLASS).accepted
    (incident,) = would(mail, 1)
    assert (incident["rule"], incident["action"]) == ("lists_unknown", "quarantine")
    assert mail.json("report")["rules"][0]["name"] == "lists_unknown"


# The report.


def stopped(mail):
    """They are counted once the sender has its answer."""
    return {i["rule"]: i["held"] + i["refused"] for i in mail.json("incidents")["incidents"]}


@redis_only
def test_the_report_of_a_week(administered):  # noqa: F811
    mail = administered(rules=f"{CAP}, {CLOSED}, " + '{ name = "many"; reach_over = 8; action = "quarantine"; }')
    for _ in range(3):
        assert mail.send(ANN, CLASS).accepted
    assert mail.send(BOB, BOB).accepted
    assert mail.send(BOB, people(9, "x")).accepted
    for _ in range(2):
        assert mail.send("", BOB).code == 550
    would(mail, 4)
    wait_until(lambda: stopped(mail) == {"closed": 2, "many": 1}, 10, "no incident")
    report = mail.json("report", "--since", "7d")
    rules = {rule["name"]: rule for rule in report["rules"]}
    numbers = {
        name: [rule[n] for n in ("held", "refused", "deferred", "would")]
        for name, rule in rules.items()
    }
    assert numbers == {"cap": [0, 0, 0, 4], "closed": [0, 2, 0, 0], "many": [1, 0, 0, 0]}
    (day,) = rules["cap"]["days"]
    assert day["would"] == 4 and day["day"] == report["until"][:10]
    senders = {s["key"]: (s["messages"], s["copies"], s["stopped"]) for s in report["senders"]}
    assert senders[f"sender:{ANN}"] == (3, 15, 0) and senders[f"sender:{BOB}"] == (2, 10, 1)
    assert [s["key"] for s in report["senders"]][0] == f"sender:{ANN}"
    assert report["lists"] == [{"key": f"list:{CLASS}", "messages": 3, "copies": 15, "stopped": 0}]
    assert {i["rule"] for i in report["incidents"]} == {"cap", "closed", "many"}
    text = mail.ok("report")
    assert "MESSAGES BY RULE" in text and f"sender:{ANN}" in text and f"list:{CLASS}" in text
    mail.daemon.kill()  # the report wrote the day down
    mail.daemon.start()
    assert mail.send(ANN, CLASS).accepted
    would(mail, 5)
    again = {s["key"]: s["messages"] for s in mail.json("report")["senders"]}
    assert again[f"sender:{ANN}"] == 4
    assert mail.run("report", "--since", "many").returncode == 2
    assert mail.api("GET", "/v1/report?since=x")[0] == 400


@memory_only
def test_the_report_of_nothing(administered):  # noqa: F811
    mail = administered()
    report = mail.json("report")
    assert report["rules"] == report["senders"] == report["lists"] == report["incidents"] == []
    assert "Nothing was stopped" in mail.ok("report")


@redis_only
def test_one_mail_a_week(administered, redis):  # noqa: F811
    mail = administered(rules=f"{CAP}, {CLOSED}", notify={"to": [BOB], "report": "weekly"})
    assert mail.send(ANN, CLASS).accepted
    would(mail, 1)

    def note():
        found = redis.command("KEYS", "*:meta")
        return found and redis.command("HGET", found[0], "notices")

    wait_until(lambda: "report_ms" in (note() or ""), 15, "no week begins", note)
    assert [d for d in mail.delivered() if "last week" in d["Subject"]] == []
    (key,) = redis.command("KEYS", "*:meta")
    week = re.sub(r'"report_ms":(\d+)', lambda m: f'"report_ms":{int(m[1]) - 8 * 86400 * 1000}', note())
    redis.command("HSET", key, "notices", week)
    letters = lambda: [d for d in mail.delivered() if "last week" in d["Subject"]]  # noqa: E731
    wait_until(letters, 20, "no report comes")
    (letter,) = letters()
    assert letter["To"] == BOB and letter["Auto-Submitted"] == "auto-generated"
    assert "cap" in letter.message.get_payload() and f"sender:{ANN}" in letter.message.get_payload()

    def age_days():
        return (time.time() - int(re.search(r'"report_ms":(\d+)', note())[1]) / 1000) / 86400

    wait_until(lambda: age_days() < 2, 10, "the same week is reported again")  # by seven more than it was
    assert len(letters()) == 1


# Now.


def test_top_shows_who_sends_most_now(administered):  # noqa: F811
    mail = administered()
    assert mail.send(ANN, CLASS).accepted
    for _ in range(2):
        assert mail.send(BOB, [BOB, "x@elsewhere.example"]).accepted
    top = mail.json("top")
    assert [(s["key"], s["messages"], s["copies"], s["stopped"]) for s in top["senders"]] == [
        (f"sender:{ANN}", 1, 5, 1),
        (f"sender:{BOB}", 2, 4, 0),
    ]
    assert [c["key"] for c in top["clients"]] == ["client:10.1.2.3"]
    assert [i["rule"] for i in top["incidents"]] == ["many"]
    assert [(i["rule"], i["waiting"]) for i in top["to_decide"]] == [("many", 1)]
    hour = top["by_minute"]
    sums = [sum(m[name] for m in hour) for name in ("messages", "copies", "stopped", "stopped_copies")]
    assert len(hour) == 60 and sums == [3, 9, 1, 5]
    page = mail.ok("top")
    assert f"sender:{ANN}" in page and "many" in page


def test_what_waits_is_not_hidden_by_what_is_refused(administered):  # noqa: F811
    rules = f'{{ name = "cap"; reach_over = 6; action = "reject"; }}, {HOLD_MANY}'
    mail = administered(rules=rules)
    (small,), (large,) = mail.hold(frm=BOB, to=[BOB, ANN, "x@y.example"]), mail.hold()
    for i in range(12):
        assert not mail.send(f"u{i}@elsewhere.example", [CLASS, "v@y.example", "w@y.example"]).accepted
    wait_until(lambda: mail.json("status")["incidents"] == 14, 10, "the refused ones are counted")
    top = mail.json("top")
    assert {i["rule"] for i in top["incidents"]} == {"cap"} and len(top["incidents"]) == 10
    assert [i["id"] for i in top["to_decide"]] == [large["incident"], small["incident"]]


def test_limits_top_shows_who_is_nearest(administered):  # noqa: F811
    rules = (
        '{ name = "rate"; key = "sender"; limit = "10 messages per 366d"; action = "reject"; },'
        '{ name = "lists"; to = [ "list:*" ]; key = "list"; limit = "100 recipients per 366d"; action = "reject"; }'
    )
    mail = administered(rules=rules)
    for _ in range(3):
        assert mail.send(ANN, BOB).accepted
    assert mail.send(BOB, CLASS).accepted
    limits = mail.json("limits", "top")["limits"]
    assert [(i["rule"], i["subject"], i["left"], i["burst"]) for i in limits] == [
        ("rate", f"sender:{ANN}", 7, 10),
        ("rate", f"sender:{BOB}", 9, 10),
        ("lists", f"list:{CLASS}", 95, 100),
    ]
    only = mail.json("limits", "top", "--rule", "lists")["limits"]
    assert [i["subject"] for i in only] == [f"list:{CLASS}"]
    assert mail.json("limits", "top", "--rule", "no/such rule")["limits"] == []
    assert f"sender:{ANN}" in mail.ok("limits", "top")
