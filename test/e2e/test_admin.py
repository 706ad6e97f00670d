"""An administrator at work: what is held, why, and what becomes of it; brakes, limits,
explanations, the record of it all. On a real Postfix with mailbrake-mta beside it."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from datetime import datetime, timedelta

import pytest

from helper import Setting, helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from relay import Relay, lists_for_postfix
from stores import memory_only, redis_only

ANN, BOB = "ann@district.example", "bob@district.example"
STRANGER = "someone@elsewhere.example"
HOLD_MANY = '{ name = "many"; reach_over = 2; action = "quarantine"; }'
CLASS = "class@district.example"
SILENT = {"tell_sender": False}
STAFF = ["client:10.0.0.0/8"]


class Api(http.client.HTTPConnection):
    """HTTP to the control socket, without mailbrake(1)."""

    def __init__(self, path):
        super().__init__("mailbraked", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, **headers):
        self.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.getresponse()
        data = answer.read()
        self.close()
        kind = answer.headers["Content-Type"]
        return answer.status, json.loads(data) if "json" in kind else data.decode()


class Administered(Relay):
    """A relay with its helper, and the administrator's command."""

    @property
    def socket(self):
        return self.daemon.dir / "control.sock"

    def api(self, method, path, body=None, **headers):
        return Api(self.socket).ask(method, path, body, **headers)

    def run(self, *words):
        return self.command.run(*words)

    def ok(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(len(line) <= 100 for line in done.stdout.splitlines()), done.stdout
        return done.stdout

    def json(self, *words):
        return json.loads(self.ok_json(*words))

    def ok_json(self, *words):
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def holds(self, *words):
        return self.json("quarantine", "list", *words)["holds"]

    def hold(self, count=1, frm=ANN, to=CLASS, **more):
        """Sends so many to a class, all held; their records."""
        before = {hold["id"] for hold in self.holds()}
        for _ in range(count):
            assert self.send(frm, to, **more).accepted
        fresh = [hold for hold in self.holds() if hold["id"] not in before]
        assert len(fresh) == count
        self.held()  # waits until Postfix has them
        return fresh

    def audit(self, action=None):
        entries = self.json("audit")["audit"]
        return [e for e in entries if action is None or e["action"] == action]


@pytest.fixture
def administered(postfix, mailbraked, build, folder, store, helper):  # noqa: F811
    """A relay with all its parts; see Mailbraked.configure. The audit lies beside the state
    file."""
    state = tempfile.mkdtemp(prefix="state-", dir=folder)

    def make(store=store, **configuration):
        settings = {
            "rules": HOLD_MANY,
            "lists": {"class": people(5)},
            "notify": SILENT,
            "trusted": STAFF,
            **configuration,
        }
        helper.configure("postfix", postfix.config).start()
        lists_for_postfix(postfix, lists=settings["lists"])
        mta = {"config_directory": str(postfix.config), "helper": str(helper.socket)}
        path = postfix.milter_socket
        kept = {"state_file": f"{state}/state", **store}
        daemon = mailbraked(kept, milter_socket=path, mta=mta, **settings)
        mail = Administered(postfix, daemon, build)
        mail.helper = helper
        mail.audit_file = pathlib.Path(kept["state_file"]).parent / "audit.log"
        return mail

    return make


# Held messages.


def test_hold_list_show_release(administered):
    mail = administered()
    (hold,) = mail.hold()
    assert hold["state"] == "held" and hold["rule"] == "many" and hold["reach"] == 5
    assert hold["lists"] == [CLASS] and hold["identity"] == f"sender:{ANN}"
    table = mail.ok("quarantine", "list")
    assert hold["id"] in table and "1 message is held" in table
    page = mail.ok("quarantine", "show", hold["id"], "--purpose", "who is it?")
    assert "delivers it at once, to 5 mailboxes" in page and CLASS in page
    assert mail.delivered() == []

    started = time.monotonic()
    assert "released" in mail.ok("quarantine", "release", hold["id"], "--purpose", "it is fine")
    copies = mail.delivered()
    assert time.monotonic() - started < 5 + mail.daemon.build.slack_ms / 1000
    assert copies.by_recipient() == {address: 1 for address in people(5)}
    assert mail.holds() == []
    (gone,) = mail.holds("--all")
    assert gone["state"] == "released"
    shown, released = mail.audit("show"), mail.audit("release")
    assert [(e["target"], e["purpose"]) for e in shown] == [(hold["id"], "who is it?")]
    assert [(e["target"], e["purpose"], e["result"], e["uid"]) for e in released] == [
        (hold["id"], "it is fine", "ok", 0)
    ]


def test_a_double_release_delivers_once(administered):
    mail = administered()
    (hold,) = mail.hold()
    command = [mail.command.build.mailbrake, "quarantine", "release", hold["id"], "-c"]
    shells = [
        subprocess.Popen([*command, mail.daemon.config], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [shell.communicate(timeout=60)[1] for shell in shells]
    assert sorted(shell.returncode for shell in shells) == [0, 1]
    (complaint,) = [text for text in told if text]
    assert re.search(r"already released|being decided", complaint)
    assert mail.delivered().copies == 5
    again = mail.run("quarantine", "release", hold["id"])
    assert again.returncode == 1 and "was already released" in again.stderr
    assert mail.delivered().copies == 5


def test_refuse_tells_an_own_sender_and_names_no_member(administered):
    mail = administered()
    (hold,) = mail.hold()
    mail.ok("quarantine", "refuse", hold["id"])
    (notice,) = mail.delivered()
    assert notice.sender == "" and notice.recipients == [ANN]
    assert notice["Auto-Submitted"] == "auto-generated"
    text = notice.message.as_string()
    assert CLASS in text and hold["id"] in text
    assert not [member for member in people(5) if member in text]
    assert mail.held() == [] and mail.holds() == []


def test_refuse_never_writes_to_a_forged_sender(administered):
    mail = administered()
    forged = mail.hold(client="203.0.113.9") + mail.hold(frm=STRANGER) + mail.hold(frm="")
    for hold in forged:
        mail.ok("quarantine", "refuse", hold["id"])
    assert mail.delivered() == [] and mail.held() == []


def test_delete_is_silent(administered):
    mail = administered()
    (hold,) = mail.hold()
    mail.ok("quarantine", "delete", hold["id"])
    assert mail.delivered() == [] and mail.held() == []
    assert mail.holds("--all")[0]["state"] == "deleted"


@pytest.mark.parametrize("wrong", ["ALL", "-", "", "../x", "0123456789abcdef", "a b", "%00"])
def test_what_is_no_id_moves_nothing(administered, wrong):
    mail = administered()
    mail.hold(2)
    for verb in ("release", "refuse", "delete"):
        done = mail.run("quarantine", verb, wrong)
        assert done.returncode == 1 and done.stderr.startswith("mailbrake: ")
    assert mail.run("quarantine", "show", wrong).returncode == 1
    assert mail.run("quarantine", "release", "--help").returncode == 2
    assert len(mail.held()) == 2 and mail.delivered() == []


def test_a_message_that_is_gone_is_reported(administered):
    mail = administered()
    kept, lost = mail.hold(2)
    mail.postfix._run("postsuper", "-d", lost["queue_id"])
    page = mail.ok("quarantine", "show", lost["id"])
    assert "not in the queue any more" in page
    done = mail.run("quarantine", "release", lost["id"])
    assert done.returncode == 1 and "not in the queue any more" in done.stderr
    assert [hold["id"] for hold in mail.holds()] == [kept["id"]]
    states = {hold["id"]: hold["state"] for hold in mail.holds("--all")}
    assert states[lost["id"]] == "gone"
    assert mail.delivered() == []


@memory_only
@pytest.mark.parametrize("verb", ["release", "refuse", "delete"])
def test_another_message_under_its_queue_id_stays_where_it_is(administered, verb):
    """Short queue ids come again. Here one does by moving a file of the queue."""
    mail = administered()
    (lost,) = mail.hold()
    (other,) = mail.hold(frm=BOB)
    queue = mail.postfix.queue / "hold"
    mail.postfix._run("postsuper", "-d", lost["queue_id"])
    os.rename(queue / other["queue_id"], queue / lost["queue_id"])
    page = mail.ok("quarantine", "show", lost["id"])
    assert f"{lost['queue_id']} is now another message" in page
    done = mail.run("quarantine", verb, lost["id"])
    assert done.returncode == 1 and "not in the queue any more" in done.stderr
    (held,) = mail.held()
    assert (held.id, held.sender) == (lost["queue_id"], BOB) and mail.delivered() == []
    assert [h["state"] for h in mail.holds("--all") if h["id"] == lost["id"]] == ["gone"]
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["failed"]) == (1, 0)
    (found,) = mail.holds()
    assert (found["id"], found["queue_id"]) == (other["id"], lost["queue_id"])
    mail.ok("quarantine", "release", other["id"])
    assert {d.sender for d in mail.delivered()} == {BOB}


def test_an_incident_is_released_as_one(administered):
    mail = administered()
    holds = mail.hold(5)
    (other,) = mail.hold(frm=BOB)
    (incident,) = {hold["incident"] for hold in holds}
    assert incident != other["incident"]
    shown = mail.json("incidents", "show", incident)
    assert shown["held"] == 5 and len(shown["holds"]) == 5 and shown["open"] is True
    assert incident in mail.ok("incidents")
    first, last = (datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ") for at in (shown["holds"][0]["held_at"], shown["expires_at"]))
    assert last - first == timedelta(days=7)
    assert "refused at" in mail.ok("incidents", "show", incident)
    assert len(mail.holds("--incident", incident)) == 5
    answer = mail.json("quarantine", "release", "--incident", incident)
    assert (answer["done"], answer["failed"]) == (5, 0)
    assert mail.delivered().copies == 25
    assert [hold["id"] for hold in mail.holds()] == [other["id"]]
    assert mail.json("incidents", "show", incident)["released"] == 5
    assert len(mail.audit("release")) == 1


def test_allow_lets_the_rest_pass_and_close_ends_it(administered):
    mail = administered()
    (hold,) = mail.hold()
    assert "is skipped for" in mail.ok("incidents", "allow", hold["incident"], "--for", "1h")
    assert mail.send(ANN, CLASS).accepted
    assert mail.delivered().copies == 5
    assert mail.send(BOB, CLASS).accepted and len(mail.held()) == 2
    mail.ok("incidents", "close", hold["incident"])
    assert mail.json("incidents", "show", hold["incident"])["open"] is False


# Rebuilding.


@redis_only
def test_sync_rebuilds_from_the_queue_alone(administered, redis):
    mail = administered()
    mail.hold(20)
    before = {hold["id"]: (hold["rule"], hold["incident"], hold["reach"]) for hold in mail.holds()}
    mail.daemon.allow_log("Redis has lost data")
    redis.flush()
    assert mail.holds() == []
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["restored"], told["failed"]) == (20, 20, 0)
    after = {hold["id"]: (hold["rule"], hold["incident"], hold["reach"]) for hold in mail.holds()}
    assert after == before
    assert mail.delivered() == []
    told = mail.json("quarantine", "sync")
    assert (told["known"], told["restored"], told["ended"]) == (20, 0, 0)
    mail.ok("quarantine", "release", next(iter(after)))
    assert mail.delivered().copies == 5


@redis_only
def test_a_rebuilt_record_knows_whom_to_tell(administered, redis):
    """By its hold header alone: an own login is told, whom somebody else wrote as is not."""
    mail = administered()
    (own,) = mail.hold(login="ann", client="203.0.113.9")
    (trusted,) = mail.hold(frm=BOB)
    forged = mail.hold(client="203.0.113.9") + mail.hold(login="bob", client="203.0.113.9")
    mail.daemon.allow_log("Redis has lost data")
    redis.flush()
    assert mail.json("quarantine", "sync")["restored"] == 4
    rebuilt = {hold["id"]: (hold["tell"], hold["identity"]) for hold in mail.holds()}
    assert rebuilt[own["id"]] == (True, f"login:{ANN}")
    assert rebuilt[trusted["id"]] == (True, f"sender:{BOB}")
    for hold in forged:
        mail.ok("quarantine", "refuse", hold["id"])
    assert mail.delivered() == []
    for hold in (own, trusted):
        mail.ok("quarantine", "refuse", hold["id"])
    assert {d.recipients[0]: d["Subject"] for d in mail.delivered()} == {
        ANN: "Your message was refused",
        BOB: "Your message was refused",
    }
    assert mail.held() == []


def test_sync_ends_what_is_gone_and_takes_back_what_is_held_again(administered):
    mail = administered()
    kept, lost, again = mail.hold(3)
    states = {kept["id"]: "held", lost["id"]: "gone", again["id"]: "released"}
    mail.postfix._run("postsuper", "-d", lost["queue_id"])
    mail.postfix._run("postsuper", "-H", again["queue_id"])  # by hand, and not yet on its way
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["ended"], told["restored"]) == (1, 2, 0)
    assert {hold["id"]: hold["state"] for hold in mail.holds("--all")} == states
    mail.postfix._run("postsuper", "-h", again["queue_id"])
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["ended"], told["restored"]) == (2, 0, 1)
    states[again["id"]] = "held"
    assert {hold["id"]: hold["state"] for hold in mail.holds("--all")} == states


def test_sync_leaves_what_others_hold(administered):
    mail = administered()
    with Setting(mail.postfix, "defer_transports", "lmtp", reload=True):
        assert mail.send(ANN, BOB).accepted
        wait_until(lambda: mail.postfix.mailq(), 5, "no mail")
        (entry,) = mail.postfix.mailq()
        mail.postfix._run("postsuper", "-h", entry["queue_id"])
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["foreign"], told["restored"]) == (1, 1, 0)
    assert mail.holds() == []


# Brakes.


def test_what_is_no_brake(administered):
    mail = administered()
    odd = [{"action": 5}, {"action": "accept"}, {"action": "confirm"}, {"pull_back": 1}]
    odd += [{"pull_back": "yes"}, {"key": "all", "pull_back": True}, {"for": 5}, {"reason": []}]
    for more in odd:
        body = {"key": f"sender:{ANN}", **more}
        assert mail.api("PUT", "/v1/brakes", body)[0] == 400, more
    assert mail.json("brake", "list")["brakes"] == []


def test_a_brake_stops_and_is_cleared(administered):
    mail = administered(rules="")
    assert mail.send(ANN, BOB).accepted
    mail.ok("brake", "set", f"sender:{ANN}", "--for", "1h", "--action", "reject", "--reason", "Stop.")
    reply = mail.send(ANN, BOB)
    assert reply.code == 550 and reply.text.startswith("5.7.1 Stop. ")
    assert mail.send(BOB, ANN).accepted
    assert f"sender:{ANN}" in mail.ok("brake", "list")
    told = mail.json("explain", "--from", ANN, "--to", BOB)
    assert (told["live"], told["rule"], told["verdict"]) == (True, "brake", "reject")
    mail.ok("brake", "clear", f"sender:{ANN}")
    assert mail.send(ANN, BOB).accepted
    assert [e["action"] for e in mail.audit()] == ["brake set", "explain", "brake clear"]


def test_pull_back_holds_what_was_accepted(administered):
    mail = administered(rules="")
    with Setting(mail.postfix, "defer_transports", "lmtp", reload=True):
        for frm in (ANN, ANN, BOB):
            assert mail.send(frm, "x@elsewhere.example").accepted
        wait_until(lambda: len(mail.postfix.mailq()) == 3, 5, "no mail")
        words = mail.ok("brake", "set", f"sender:{ANN}", "--pull-back")
        assert "2 messages still in the queue were put on hold" in words
    holds = mail.holds()
    assert [hold["rule"] for hold in holds] == ["brake", "brake"]
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["known"], told["ended"]) == (2, 2, 0)
    mail.postfix._run("postqueue", "-f")
    assert {d.sender for d in mail.delivered()} == {BOB}
    mail.ok("quarantine", "release", holds[0]["id"])
    mail.ok("quarantine", "refuse", holds[1]["id"])
    assert sorted(d.sender for d in mail.delivered()) == [ANN, BOB]


# Looking.


def test_limits_show_and_reset(administered):
    rate = '{ name = "rate"; key = "sender"; limit = "2 messages per 366d"; action = "reject"; }'
    mail = administered(rules=rate)
    assert [mail.send(ANN, BOB).code for _ in range(3)] == [250, 250, 550]
    (limit,) = mail.json("limits", "show", f"sender:{ANN}")["limits"]
    assert (limit["rule"], limit["left"], limit["burst"]) == ("rate", 0, 2)
    assert "0" in mail.ok("limits", "show", f"sender:{ANN}")
    told = mail.json("explain", "--from", ANN, "--to", BOB)
    assert told["live"] is True and told["verdict"] == "reject"
    assert "left 0 of 2" in told["rules"][0]["why"]
    mail.ok("limits", "reset", f"sender:{ANN}")
    assert mail.send(ANN, BOB).accepted


def test_status_and_metrics_count(administered):
    watch = '{ name = "watch"; reach_over = 0; action = "reject"; mode = "monitor"; }'
    mail = administered(rules=f"{watch}, {HOLD_MANY}")
    mail.hold(2)
    assert mail.send(ANN, BOB).accepted
    status = mail.json("status")
    assert status["verdicts"]["quarantine"] == 2 and status["verdicts"]["accept"] == 1
    assert status["would"]["reject"] == 3
    assert (status["holds"], status["incidents"], status["mode"]) == (2, 1, "enforce")
    mail.ok("status")
    code, text = mail.api("GET", "/metrics")
    assert code == 200
    samples = parse_metrics(text)
    please_promtool(text)
    assert samples['mailbrake_messages_total{rule="many",verdict="quarantine"}'] == 2
    assert samples['mailbrake_would_total{rule="watch",verdict="reject"}'] == 3
    assert samples["mailbrake_holds"] == 2
    assert samples['mailbrake_reach_bucket{le="10"}'] == samples["mailbrake_reach_count"] == 3
    assert "district.example" not in text


def please_promtool(text):
    """Prometheus's own checker (package prometheus), where it is installed."""
    promtool = shutil.which("promtool")
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout


def parse_metrics(text):
    """Every sample of a metric that was declared before; no name twice."""
    declared, samples = set(), {}
    for line in text.splitlines():
        if match := re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)", line):
            declared.add(match[2])
            continue
        match = re.fullmatch(r'(\w+)(\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})? (\d+(?:\.\d+)?(?:e-?\d+)?)', line)
        assert match, line
        assert match[1] in declared or re.sub("_(bucket|sum|count)$", "", match[1]) in declared, line
        name = match[1] + (match[2] or "")
        assert name not in samples, line
        samples[name] = float(match[3])
    return samples


def test_lists_have_sizes_and_no_members(administered):
    mail = administered()
    (entry,) = mail.json("lists")["lists"]
    assert (entry["address"], entry["size"], entry["state"]) == (CLASS, 5, "ok")
    assert CLASS in mail.ok("lists", CLASS)
    assert "p1@" not in mail.ok_json("lists", CLASS)
    assert mail.run("lists", "nobody@district.example").returncode == 1


def test_what_cannot_be_explained(administered):
    mail = administered()
    odd = [{"login": 5}, {"from": [ANN]}, {"client": 5}, {"client": "here"}, {"to": CLASS}, {"to": [5]}]
    for more in odd:
        body = {"from": ANN, "to": [CLASS], **more}
        assert mail.api("POST", "/v1/explain", body)[0] == 400, more


def test_explain_says_whether_the_daemon_was_asked(administered):
    mail = administered()
    words = ["explain", "--from", ANN, "--to", CLASS]
    assert mail.json(*words)["live"] is True
    assert mail.json(*words, "--offline")["live"] is False
    other = mail.daemon.dir / "candidate.conf"
    other.write_text(mail.daemon.config.read_text())
    done = subprocess.run(
        [mail.command.build.mailbrake, *words, "--json", "-c", other],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["live"] is False
    mail.daemon.kill()
    assert mail.json(*words)["live"] is False


def test_no_daemon_is_a_clear_failure(administered):
    mail = administered()
    mail.daemon.kill()
    for words in (["status"], ["quarantine", "list"], ["brake", "list"], ["reload"], ["audit"]):
        done = mail.run(*words)
        assert done.returncode == 1
        assert done.stderr.startswith(f"mailbrake: can't reach mailbraked at {mail.socket}: ")
        assert "; is mailbraked running?" in done.stderr
    for words in (["show", "XYZ"], ["release", "XYZ"]):
        assert mail.run("quarantine", *words).stderr == 'mailbrake: "XYZ" is not the id of a held message\n'
