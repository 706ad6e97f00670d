"""What administrators do and look at is written down, or does not happen; and the control
API says what its documentation says."""

import json
import pathlib
import re
import signal
import threading

from helper import helped, helper  # noqa: F401, fixtures
from mailbraked import people
from postfix import wait_until
from stores import memory_only, redis_only
from test_admin import ANN, BOB, CLASS, HOLD_MANY, administered  # noqa: F401, a fixture

DOC = pathlib.Path(__file__).parents[2] / "doc" / "control-api.md"


def lines(mail):
    """The audit file as it lies there."""
    path = mail.audit_file
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# One line of `mailbrake audit` each.


@memory_only
def test_several_messages_are_one_action(administered):  # noqa: F811
    mail = administered()
    ids = [hold["id"] for hold in mail.hold(3)]
    mail.ok("quarantine", "release", ids[0], "--purpose", "one")
    done = mail.run("quarantine", "release", *ids, "--purpose", "the rest")
    assert done.returncode == 1 and f"{ids[0]} was already released" in done.stderr
    assert "2 messages released, 1 failed" in done.stdout
    assert mail.delivered().copies == 15
    single, many = mail.audit("release")
    assert (single["target"], single["result"]) == (ids[0], "ok")
    began, ended = [line for line in lines(mail) if line["target"] == ids[0]]
    assert began["begin"] == ended["end"] and "result" not in began and ended["result"] == "ok"
    assert (many["ids"], many["failed"], many["purpose"]) == (ids[1:], ids[:1], "the rest")
    assert many["result"].startswith("2 done, 1 failed: ")
    table = mail.ok("audit")
    assert f"{ids[1]} and 2 more" in table
    done = mail.run("quarantine", "delete", ids[0], "ALL")
    assert done.returncode == 1 and '"ALL" is not the id' in done.stderr
    assert mail.audit("delete") == []


@memory_only
def test_an_incident_is_one_action_that_names_its_messages(administered):  # noqa: F811
    mail = administered()
    holds = mail.hold(3)
    mail.ok("quarantine", "refuse", "--incident", holds[0]["incident"])
    (entry,) = mail.audit("refuse")
    assert entry["target"] == holds[0]["incident"] and entry["result"] == "ok, 3 done"
    assert sorted(entry["ids"]) == sorted(hold["id"] for hold in holds)
    again = mail.ok("quarantine", "refuse", "--incident", holds[0]["incident"])
    assert again == "Nothing of this incident is held.\n"


@memory_only
def test_looks_are_written_down(administered):  # noqa: F811
    mail = administered()
    (hold,) = mail.hold()
    before = len(lines(mail))
    mail.ok("quarantine", "list", "--incident", hold["incident"], "--purpose", "whose?")
    mail.ok("quarantine", "show", hold["id"])
    mail.ok("incidents")
    mail.ok("incidents", "show", hold["incident"])
    mail.ok("lists", CLASS)
    mail.ok("limits", "show", f"sender:{ANN}")
    mail.json("explain", "--from", ANN, "--to", CLASS, "--purpose", "why?")
    mail.ok("audit", "--since", "1h")
    for words in (["status"], ["lists"], ["brake", "list"]):
        mail.ok(*words)
    mail.json("explain", "--from", ANN, "--to", BOB, "--offline")
    mail.api("GET", "/metrics")
    mail.api("GET", "/healthz")
    assert [(e["action"], e["target"], e["purpose"]) for e in lines(mail)[before:]] == [
        ("list", hold["incident"], "whose?"),
        ("show", hold["id"], ""),
        ("incidents", "", ""),
        ("show", hold["incident"], ""),
        ("lists", f"list:{CLASS}", ""),
        ("limits show", f"sender:{ANN}", ""),
        ("explain", f"sender:{ANN}", "why?"),
        ("audit", "1h", ""),
    ]


# Nothing without one.


@memory_only
def test_what_cannot_be_written_down_does_not_happen(administered):  # noqa: F811
    mail = administered()
    holds = mail.hold(2)
    mail.daemon.allow_log("audit file was not written")
    mail.audit_file.unlink()
    mail.audit_file.mkdir()  # no file can be opened there
    for words in (
        ["quarantine", "release", holds[0]["id"]],
        ["quarantine", "delete", holds[0]["id"], holds[1]["id"]],
        ["quarantine", "refuse", "--incident", holds[0]["incident"]],
        ["quarantine", "list"],
        ["brake", "set", "all"],
        ["limits", "reset", f"sender:{ANN}"],
        ["reload"],
    ):
        done = mail.run(*words)
        assert done.returncode == 1 and done.stdout == "", words
        assert f"since the audit can't be written: {mail.audit_file}: Is a directory" in done.stderr
    mail.ok("status")
    mail.audit_file.rmdir()
    assert len(mail.held()) == 2 and mail.delivered() == []
    assert [hold["state"] for hold in mail.holds("--all")] == ["held", "held"]
    assert mail.json("brake", "list")["brakes"] == []
    mail.ok("quarantine", "release", holds[0]["id"])
    assert mail.delivered().copies == 5


@redis_only
def test_a_release_that_is_killed_halfway_leaves_its_line(administered):  # noqa: F811
    mail = administered()
    holds = mail.hold(3)
    mail.helper.process.send_signal(signal.SIGSTOP)
    release = threading.Thread(
        target=mail.run, args=("quarantine", "release", "--incident", holds[0]["incident"], "--purpose", "fine")
    )
    release.start()
    begun = lambda: [line for line in lines(mail) if "begin" in line]  # noqa: E731
    wait_until(begun, 20, "nothing has begun")
    mail.daemon.kill()
    release.join()
    mail.helper.process.send_signal(signal.SIGCONT)
    mail.daemon.start()
    (entry,) = mail.audit("release")
    assert (entry["target"], entry["purpose"]) == (holds[0]["incident"], "fine")
    assert entry["result"].startswith("not ended") and len(entry["ids"]) == 3
    mail.daemon.kill()
    mail.daemon.start()
    assert len(mail.audit("release")) == 1


@memory_only
def test_check_warns_without_an_audit(administered):  # noqa: F811
    mail = administered()
    assert "audit" not in mail.run("check").stderr
    text = mail.daemon.config.read_text()
    mail.daemon.config.write_text(re.sub(r'state_file = "[^"]*";', "", text))
    done = mail.run("check")
    assert done.returncode == 0 and "there is no audit file" in done.stderr


@memory_only
def test_the_daemon_warns_when_the_queue_is_not_known(administered):  # noqa: F811
    mail = administered()
    assert "min_free" not in mail.daemon.text()
    other = mail.daemon.dir / "etc"
    other.mkdir()
    (other / "main.cf").write_text("queue_directory = /no/such/folder\n")
    mail.helper.stop()
    mail.helper.configure("postfix", other)
    mail.helper.start()
    mail.daemon.kill()
    mail.daemon.allow_log("min_free|not compared with the queue")
    mail.daemon.start()
    words = "/no/such/folder: No such file or directory: quarantine.min_free can't be checked"
    wait_until(lambda: words in mail.daemon.text(), 15, "nothing is said")


# What is documented is what is there.


def documented(heading):
    """The names in quotes between a heading (the start of a line) and the next paragraph."""
    text = DOC.read_text()
    start = text.index(heading)
    rest = re.split(r"\n\n\*\*`|\n## |\n    INCIDENT", text[start:])[0]
    return set(re.findall(r'"(\w+)"', rest))


def record(name):
    """The fields of HOLD or INCIDENT, and only those: what is between its braces."""
    text = DOC.read_text()
    block = re.search(rf"\n    {name} +\{{(.*?)\}}", text, re.S)[1]
    return set(re.findall(r'"(\w+)"(?=[,:\]]|$)', re.sub(r': ("[\w|" ]+")', "", block)))


def names(answer):
    """Every field name in a document."""
    if isinstance(answer, dict):
        return set(answer) | {name for value in answer.values() for name in names(value)}
    if isinstance(answer, list):
        return {name for value in answer for name in names(value)}
    return set()


@memory_only
def test_every_field_is_documented(administered):  # noqa: F811
    rate = '{ name = "rate"; key = "sender"; limit = "900 messages per 1d"; action = "reject"; }'
    grown = '{ name = "grown"; key = "sender"; surge = 2.0; floor = 900; latch = "1h"; action = "reject"; }'
    rules = f"{HOLD_MANY}, {rate}, {grown}"
    mail = administered(rules=rules, lists={"class": people(5), "nest": [CLASS, ANN]})
    hold, other = mail.hold(2)
    mail.send(ANN, BOB)
    incident = hold["incident"]
    assert set(hold) == record("HOLD")
    assert set(mail.json("incidents", "--all")["incidents"][0]) == record("INCIDENT")
    more = {"holds", "pace", "expires_at"}
    assert set(mail.api("GET", f"/v1/incidents/{incident}")[1]) == record("INCIDENT") | more
    body = {"from": ANN, "to": [CLASS, BOB], "headers": [{"name": "To", "value": "x@y.example"}]}
    brake = {"key": f"sender:{BOB}", "for": "1h", "reason": "Stop.", "pull_back": True}
    asked = [
        ("GET", "/healthz", None),
        ("GET", "/v1/status", None),
        ("GET", "/v1/lists", None),
        ("GET", "/v1/lists?address=nest", None),
        ("POST", "/v1/sync", None),
        ("GET", f"/v1/holds/{hold['id']}", None),
        ("POST", "/v1/holds/review", {"ids": [hold["id"]]}),
        ("POST", "/v1/holds/release", {"ids": [hold["id"], "0" * 16]}),
        ("POST", f"/v1/holds/{other['id']}/release", None),
        ("POST", f"/v1/incidents/{incident}/release", None),
        ("POST", f"/v1/incidents/{incident}/allow", {"for": "1h"}),
        ("POST", f"/v1/incidents/{incident}/close", None),
        ("PUT", "/v1/brakes", brake),
        ("GET", "/v1/brakes", None),
        ("DELETE", f"/v1/brakes?key=sender:{BOB}", None),
        ("GET", f"/v1/limits?subject=sender:{ANN}", None),
        ("DELETE", f"/v1/limits?subject=sender:{ANN}", None),
        ("POST", "/v1/explain", body),
        ("POST", "/v1/reload", None),
        ("GET", "/v1/audit?since=1h", None),
    ]
    for method, path, body in asked:
        code, answer = mail.api(method, path, body)
        assert code == 200, (path, answer)
        place = path.split("?")[0].replace(hold["id"], "ID").replace(other["id"], "ID").replace(incident, "I")
        place = re.sub(r"/(release|refuse|delete)$", "/release|refuse|delete", place)
        extra = names(answer) - documented(f"**`{method} {place}")
        if place.startswith("/v1/holds/ID"):
            extra -= record("HOLD")
        assert not extra, (path, extra)
