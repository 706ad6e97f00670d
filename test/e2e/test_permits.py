"""Permits: an announced mailing passes, so many copies, for so long, on all relays; whatever
exceeds it meets the rules."""

import pathlib
import re
import tempfile
import time

import pytest

import milter
from mailbraked import people
from postfix import Postfix, wait_until
from relay import Relay, lists_for_postfix
from stores import memory_only, redis_only, redis_settings
from test_admin import Administered, administered, helper  # noqa: F401, fixtures

ANN, BOB = "ann@district.example", "bob@district.example"
CAP = '{ name = "cap"; reach_over = 2; action = "reject"; }'
HELD = '{ name = "cap"; reach_over = 2; action = "quarantine"; }'
FAMILIES = "families@district.example"
LISTS = {"families": people(5), "staff": people(4, "s")}
STAFF = ["client:10.0.0.0/8"]


def permit(mail, key=f"sender:{ANN}", copies=10, *words, lasts="1h"):
    return mail.json("permit", "set", key, "--copies", str(copies), "--for", lasts, *words)


def left(mail, identity):
    return mail.json("permit", "show", identity)["left"]


def test_an_announced_mailing_passes_and_what_exceeds_it_does_not(administered):  # noqa: F811
    mail = administered(rules=HELD, lists=LISTS)
    one = permit(mail, f"sender:{ANN}", 12, "--to", FAMILIES, "--reason", "Snow day")
    assert one["key"] == f"sender:{ANN}" and one["to"] == [FAMILIES] and one["left"] == 12
    assert (one["copies"], one["by"], one["reason"]) == (12, "root", "Snow day")
    assert one["state"] == "active" and re.fullmatch("[0-9a-f]{16}", one["id"])

    told = mail.explain(ANN, FAMILIES, client="10.1.2.3")
    assert told["permit"] == {
        "id": one["id"],
        "key": f"sender:{ANN}",
        "copies": 12,
        "left": 7,
    }
    assert (told["verdict"], told["rule"], told["exceeded"]) == ("accept", "permit", None)
    assert left(mail, one["id"]) == 12

    for rest in (7, 2):
        assert mail.send(ANN, FAMILIES).accepted
        verdict = mail.verdict()
        assert (verdict.verdict, verdict.rule, verdict.permit) == ("accept", "permit", one["id"])
        assert left(mail, one["id"]) == rest
    assert mail.delivered().copies == 10

    told = mail.explain(ANN, FAMILIES, client="10.1.2.3")
    assert told["permit"] is None and told["exceeded"]["left"] == 2
    assert (told["verdict"], told["rule"]) == ("quarantine", "cap")
    page = mail.run("explain", "--from", ANN, "--to", FAMILIES, "--client", "10.1.2.3")
    assert "too little is left, 2 of 12" in page.stdout
    assert mail.send(ANN, FAMILIES).accepted
    assert mail.verdict().verdict == "quarantine"
    (incident,) = mail.json("incidents")["incidents"]
    assert incident["permit"] == {"id": one["id"], "copies": 12, "left": 2}
    page = mail.ok("incidents", "show", incident["id"])
    assert f"{one['id']}: too little was left, 2 of 12 copies" in page
    assert left(mail, one["id"]) == 2


def test_others_and_other_recipients_are_not_meant(relay):
    mail = relay(rules=CAP, lists=LISTS, trusted=STAFF)
    mail.__class__ = Administered
    one = permit(mail, f"sender:{ANN}", 100, "--to", f"list:{FAMILIES}", "--to", BOB)
    assert one["to"] == [f"list:{FAMILIES}", BOB]
    assert mail.send(ANN, [FAMILIES, BOB]).accepted
    assert mail.send(BOB, FAMILIES).code == 550
    assert mail.send(ANN, "staff@district.example").code == 550
    assert mail.send(ANN, [FAMILIES, "staff@district.example"]).code == 550
    assert mail.send(ANN, FAMILIES, client="203.0.113.9").code == 550, "forged"
    assert mail.send(BOB, FAMILIES, login="ann").code == 550
    permit(mail, "login:office", 100)
    assert mail.send("office@district.example", FAMILIES, login="office").accepted
    assert mail.send("office@district.example", FAMILIES).code == 550


def test_a_permit_starts_later_and_lapses_and_can_be_ended(administered):  # noqa: F811
    mail = administered(rules=CAP, lists=LISTS)
    tomorrow = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + 86400))
    later = permit(mail, f"sender:{ANN}", 100, "--from", tomorrow)
    assert later["state"] == "scheduled"
    assert mail.send(ANN, FAMILIES).code == 550
    table = mail.ok("permit", "list")
    assert later["id"] in table and "scheduled" in table and "100 of 100" in table

    short = permit(mail, f"sender:{BOB}", 100, lasts="3s")
    assert mail.send(BOB, FAMILIES).accepted
    wait_until(
        lambda: not mail.explain(BOB, FAMILIES, client="10.1.2.3")["permit"], 10, "no end"
    )
    assert mail.send(BOB, FAMILIES).code == 550
    assert [one["id"] for one in mail.json("permit", "list")["permits"]] == [later["id"]]
    assert "ended" in mail.ok("permit", "end", later["id"])
    assert mail.json("permit", "list")["permits"] == []
    assert "No permit is set." in mail.ok("permit", "list")
    states = {one["id"]: one for one in mail.json("permit", "list", "--all")["permits"]}
    assert states[later["id"]]["state"] == "ended"
    assert (states[later["id"]]["ended_by"], states[later["id"]]["left"]) == ("root", 100)
    assert states[short["id"]]["state"] == "lapsed" and states[short["id"]]["left"] == 95
    page = mail.ok("permit", "show", later["id"])
    assert "ended by" in page and "root" in page
    again = mail.run("permit", "end", later["id"])
    assert again.returncode == 1 and "in force" in again.stderr
    assert mail.run("permit", "show", "0123456789abcdef").returncode == 1


def test_a_used_up_permit_has_ended(relay):
    mail = relay(rules=CAP, lists=LISTS, trusted=STAFF)
    mail.__class__ = Administered
    one = permit(mail, f"sender:{ANN}", 5)
    assert mail.send(ANN, FAMILIES).accepted
    assert mail.send(ANN, FAMILIES).code == 550
    assert mail.json("permit", "list")["permits"] == []
    (used,) = mail.json("permit", "list", "--all")["permits"]
    assert (used["id"], used["state"], used["left"]) == (one["id"], "used", 0)


def test_what_is_no_permit(administered):  # noqa: F811
    mail = administered(rules=CAP, lists=LISTS)
    usage = [
        ("set", ANN),
        ("set", f"sender:{ANN}", "--copies", "5"),
        ("set", f"sender:{ANN}", "--for", "1h"),
        ("set", f"sender:{ANN}", "--copies", "many", "--for", "1h"),
        ("set", f"sender:{ANN}", "--copies", "5", "--for", "1h", "--from", "soon"),
        ("set", f"sender:{ANN}", "--copies", "5", "--for", "1h", "--from", "2026-02-30 08:00"),
        ("end",),
        ("brake",),
    ]
    for words in usage:
        assert mail.run("permit", *words).returncode == 2, words
    wrong = [
        ("all", "5", "1h"),
        ("logn:ann", "5", "1h"),
        (f"sender:{ANN}", "0", "1h"),
        (f"sender:{ANN}", "1000000001", "1h"),
        (f"sender:{ANN}", "5", "1h", "--to", "*@district.example"),
        (f"sender:{ANN}", "5", "1h", "--to", "login:bob"),
        (f"sender:{ANN}", "5", "1h", "--from", "2001-01-01 08:00"),
        (f"sender:{ANN}", "5", "1h", "--reason", "two\nlines"),
    ]
    for key, copies, lasts, *more in wrong:
        done = mail.run("permit", "set", key, "--copies", copies, "--for", lasts, *more)
        assert done.returncode == 1 and done.stderr, (key, done.stderr)
    right = {"key": f"sender:{ANN}", "copies": 5, "for": "1h"}
    odd = [{"from": 5}, {"from": []}, {"reason": 5}, {"to": FAMILIES}, {"copies": "5"}, {"for": 5}, {"key": []}]
    for more in odd:
        assert mail.api("POST", "/v1/permits", {**right, **more})[0] == 400, more
    assert mail.json("permit", "list")["permits"] == []
    failed = [False] * (len(wrong) + len(odd))
    assert [entry["result"] == "ok" for entry in mail.audit("permit set")] == failed


def test_who_permitted_what_is_written_down(administered):  # noqa: F811
    mail = administered(rules=CAP, lists=LISTS)
    one = permit(mail, f"sender:{ANN}", 12, "--purpose", "ticket 7")
    mail.ok("permit", "end", one["id"])
    (was_set,) = mail.audit("permit set")
    assert was_set["target"] == f"sender:{ANN}" and was_set["purpose"] == "ticket 7"
    assert f"permit {one['id']}, 12 copies" in was_set["result"]
    (ended,) = mail.audit("permit end")
    assert (ended["target"], ended["result"]) == (one["id"], "ok")


@redis_only
def test_a_hashed_audit_says_how_long(administered):  # noqa: F811
    mail = administered(rules=CAP, lists=LISTS, privacy={"addresses": "hashed"})
    one = permit(mail, f"sender:{ANN}", 12)
    (was_set,) = mail.audit("permit set")
    assert ANN not in str(was_set)
    assert was_set["result"].endswith(f"12 copies, {one['from']} to {one['until']}")


def test_status_and_metrics_count_permits(administered):  # noqa: F811
    mail = administered(rules=CAP, lists=LISTS)
    permit(mail)
    assert mail.send(ANN, FAMILIES).accepted
    assert mail.json("status")["permits"] == 1
    assert re.search(r"permits +1", mail.ok("status"))
    metrics = mail.api("GET", "/metrics")[1]
    assert "mailbrake_permits 1\n" in metrics
    assert 'mailbrake_messages_total{rule="permit",verdict="accept"} 1\n' in metrics


def test_what_a_permit_lets_pass_is_usual_from_then_on(relay):
    surge = (
        '{ name = "grown"; key = "sender"; surge = 2.0; window = "2s"; floor = 4;'
        ' action = "reject"; }'
    )
    mail = relay(rules=surge, lists={**LISTS, "ten": people(10)}, trusted=STAFF)
    mail.daemon.allow_log("surge learns")
    mail.__class__ = Administered
    assert mail.send(ANN, FAMILIES).code == 550
    permit(mail, f"sender:{ANN}", 5)
    assert mail.send(ANN, FAMILIES).accepted
    time.sleep(2.5)
    assert mail.send(ANN, "ten@district.example").accepted
    assert [verdict.rule for verdict in mail.log(3)] == ["grown", "permit", "-"]
    assert mail.send(ANN, BOB).code == 550


@memory_only
def test_a_permit_outlives_a_restart(administered):  # noqa: F811
    mail = administered(rules=CAP, lists=LISTS)
    one = permit(mail, f"sender:{ANN}", 12)
    assert mail.send(ANN, FAMILIES).accepted
    mail.daemon.stop()
    mail.daemon.start()
    assert left(mail, one["id"]) == 7
    assert mail.send(ANN, FAMILIES).accepted
    assert mail.send(ANN, FAMILIES).code == 550


@pytest.fixture
def second_postfix(folder):
    path = pathlib.Path(tempfile.mkdtemp(prefix="postfix-", dir=folder))
    path.chmod(0o755)
    second = Postfix(path)
    second.start()
    yield second
    second.stop()


@redis_only
def test_a_permit_is_live_on_all_relays_within_a_second(
    relay, second_postfix, mailbraked, build, store
):
    settings = {"rules": CAP, "lists": LISTS, "trusted": STAFF}
    here = relay(**settings)
    lists_for_postfix(second_postfix, lists=LISTS)
    daemon = mailbraked(store, milter_socket=second_postfix.milter_socket, **settings)
    daemon.allow_log("name")
    here.daemon.allow_log("name")
    there = Relay(second_postfix, daemon, build)
    here.__class__ = there.__class__ = Administered
    assert there.send(ANN, FAMILIES).code == 550
    one = permit(here, f"sender:{ANN}", 10)
    time.sleep(1)
    assert there.send(ANN, FAMILIES).accepted
    assert left(here, one["id"]) == 5
    assert here.send(ANN, FAMILIES).accepted
    assert there.send(ANN, FAMILIES).code == 550
    assert here.delivered().copies + there.delivered().copies == 10
    two = permit(here, f"sender:{ANN}", 10)
    time.sleep(1)
    there.ok("permit", "end", two["id"])
    assert there.send(ANN, FAMILIES).code == 550
    time.sleep(1)
    assert here.send(ANN, FAMILIES).code == 550


@pytest.mark.timing
def test_exactly_as_many_copies_pass_over_two_relays(mailbraked, redis, build):
    store = redis_settings(redis)
    rules = '{ name = "cap"; reach_over = 1; action = "reject"; }'
    pair = [mailbraked(store, rules=rules, lists={"seven": people(7)}) for _ in range(2)]
    for daemon in pair:
        daemon.allow_log("name")
    mail = Administered(None, pair[0], build)
    for run in range(5):
        sender = f"s{run}@x.example"
        one = permit(mail, f"sender:{sender}", 705)
        time.sleep(1)
        result = milter.load(
            build,
            *[daemon.milter for daemon in pair],
            messages=500,
            connections=50,
            from_=sender,
            to="seven@district.example",
        )
        assert (result["accept"], result["reject"]) == (100, 400), (run, result)
        assert left(mail, one["id"]) == 5


@pytest.mark.timing
def test_a_permit_while_the_store_is_away(mailbraked, own_redis, build):
    store = redis_settings(own_redis, timeout_ms=250)
    pair = [
        mailbraked(store, rules=CAP, lists=LISTS, trusted=STAFF) for _ in range(2)
    ]
    for daemon in pair:
        daemon.allow_log(r"(?i)redis|store|suppressed|name")
    here, there = (Administered(None, daemon, build) for daemon in pair)

    def passes(mail):
        ends = milter.ends(
            milter.client(build, mail.daemon.milter, milter.HELLO + milter.message(ANN, FAMILIES))
        )
        return ends[0].reply in ("accept", "continue")

    before = permit(here, f"sender:{ANN}", 10)
    assert passes(here)
    own_redis.kill()
    wait_until(lambda: here.json("status")["store"]["state"] == "local", 10, "still there")
    assert passes(here) and not passes(here), "what was left, and no more"
    now = permit(here, f"sender:{ANN}", 6)
    assert now["pending"] is True
    assert passes(here) and not passes(here)
    assert sum(passes(there) for _ in range(4)) <= 2, "what it knew of, and no more"
    own_redis.start()
    wait_until(lambda: here.json("status")["store"]["state"] == "ok", 10, "still away")
    wait_until(
        lambda: now["id"] in {one["id"] for one in there.json("permit", "list")["permits"]},
        10,
        "not written",
    )
    ids = {one["id"] for one in here.json("permit", "list")["permits"]}
    assert before["id"] not in ids or now["id"] in ids
    assert "pending" not in here.json("permit", "show", now["id"])
