"""An administrator at work on a relay with Sendmail: what Mailbrake holds there is listed,
shown, released, refused, deleted, found again and pulled back as it is with Postfix."""

import re
import subprocess
import time

import pytest

from helper import helper  # noqa: F401, fixtures
from mailbraked import people
from postfix import wait_until
from sendmail import SendmailRelay, helper_beside, sendmail_program, sendmail_relay  # noqa: F401
from stores import MEMORY, redis_only, redis_settings
from test_admin import Administered

ANN, BOB = "ann@district.example", "bob@district.example"
STRANGER = "someone@elsewhere.example"
FAR = "far@away.example"
CLASS = "class@district.example"
ALIASES = "class: " + ", ".join(member.partition("@")[0] for member in people(5)) + "\n"
HOLD_MANY = '{ name = "many"; reach_over = 2; action = "quarantine"; }'
SILENT = {"tell_sender": False}


class SendmailAdministered(SendmailRelay, Administered):
    """A relay with its helper, and the administrator's command."""


@pytest.fixture(params=["memory"])
def store(request):
    """Sendmail is what these stories are about; the stores differ in test_admin.py."""
    if request.param == "memory":
        return dict(MEMORY)
    return redis_settings(request.getfixturevalue("redis"))


@pytest.fixture
def administered(sendmail_relay, helper, store):  # noqa: F811
    """A relay with all its parts; see Mailbraked.configure."""

    def make(**configuration):
        settings = {
            "rules": HOLD_MANY,
            "notify": SILENT,
            "trusted": ["client:127.1.0.0/16"],
            **configuration,
        }
        relay = sendmail_relay(
            aliases=ALIASES,
            store={**store, "state_file": str(helper.dir / "state")},
            helper=str(helper.socket),
            **settings,
        )
        helper_beside(relay.mta, helper)
        mail = SendmailAdministered(relay.mta, relay.daemon, relay.daemon.build)
        mail.helper = helper
        return mail

    return make


def files(mail):
    return sorted(path.name for path in mail.mta.queue.glob("[hqdtx]f*"))


# Held messages.


def test_hold_list_show_release(administered):
    mail = administered()
    (hold,) = mail.hold()
    (held,) = mail.held()
    assert (hold["state"], hold["rule"], hold["reach"]) == ("held", "many", 5)
    assert (hold["lists"], hold["identity"]) == ([CLASS], f"sender:{ANN}")
    assert (hold["queue_id"], hold["id"]) == (held.id, held.brake["id"])
    assert hold["id"] in mail.ok("quarantine", "list")
    page = mail.ok("quarantine", "show", hold["id"])
    assert "Sendmail on " in page and "delivers it at once, to 5 mailboxes" in page
    assert mail.delivered() == []

    started = time.monotonic()
    assert "released" in mail.ok("quarantine", "release", hold["id"])
    wait_until(lambda: mail.mta.sink.kept(), 10, "not delivered")
    assert time.monotonic() - started < 5 + mail.daemon.build.slack_ms / 1000
    assert mail.delivered().by_recipient() == {address: 1 for address in people(5)}
    assert mail.holds() == [] and files(mail) == []
    (gone,) = mail.holds("--all")
    assert gone["state"] == "released"
    assert len(mail.log()) == 1  # it is not judged again
    assert [(e["target"], e["result"]) for e in mail.audit("release")] == [(hold["id"], "ok")]


def test_a_sender_lets_it_go(administered):
    """By answering a letter, whose tag Sendmail hands on."""
    mail = administered(
        rules=HOLD_MANY.replace("quarantine", "confirm"),
        confirm={"address": "confirm@district.example"},
    )
    (hold,) = mail.hold()

    def letters():
        return [d for d in mail.mta.sink.kept() if d.recipients == ["ann"]]

    wait_until(letters, 15, "no letter:", mail.daemon.text)
    to = letters()[0]["Reply-To"]
    assert mail.send(BOB, to).accepted and mail.send(ANN, to, client="127.9.2.3").accepted
    assert mail.send(ANN, to).accepted
    wait_until(lambda: len(mail.audit("confirm")) == 3, 10, "not audited", mail.daemon.text)
    wait_until(lambda: not mail.held(), 10, "still held")
    results = [entry["result"] for entry in mail.audit("confirm")]
    assert results[0].startswith("not confirmed: somebody") and "neither" in results[1]
    assert results[2] == "ok, 1 released" and mail.audit("confirm")[2]["ids"] == [hold["id"]]
    there = mail.delivered().by_recipient()
    assert [there[address] for address in people(5)] == [1] * 5
    assert sum(there[address] for address in there if address.startswith("confirm")) == 3



def test_what_is_held_can_be_read(administered):
    mail = administered(quarantine={"content": "text"})
    mail.helper.allow("text")
    kind = "multipart/mixed; boundary=b"
    parts = "--b\n\nthe t=3Dxt\n--b\nContent-Disposition: attachment; filename=a.csv\n\n1;2\n--b--\n"
    headers = {"Subject": "=?utf-8?q?=C3=A4?=\r\n b", "Content-Type": kind}
    (hold,) = mail.hold(headers=headers, body=parts.replace("\n", "\r\n"))
    words = ["quarantine", "show", hold["id"], "--content", "--purpose", "is it real?"]
    content = mail.json(*words)["content"]
    assert (content["subject"], content["text"]) == ("ä b", "the t=3Dxt")
    assert content["attachments"] == [{"name": "a.csv", "type": "text/plain", "size": 3}]
    header = {field["name"]: field["value"] for field in content["header"]}
    assert header["Content-Type"] == kind and hold["id"] in header["X-Mailbrake"]
    mail.helper.allow("subject")
    assert "quarantine.content is" in mail.run(*words).stderr


def test_a_release_does_not_wait_for_its_delivery(administered):
    """A killed delivery would be repeated from its start: none may be in the helper's
    time."""
    mail = administered()
    (hold,) = mail.hold()
    sink, keep = mail.mta.sink, mail.mta.sink.keep
    sink.keep = lambda delivery: (time.sleep(8), keep(delivery))
    started = time.monotonic()
    mail.ok("quarantine", "release", hold["id"])
    assert time.monotonic() - started < 5
    assert sink.kept() == []
    assert mail.delivered().by_recipient() == {address: 1 for address in people(5)}


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
    wait_until(lambda: mail.mta.sink.kept(), 10, "no notice")
    (notice,) = mail.delivered()
    # That is how Sendmail's local mailer writes <>.
    assert (notice.sender, notice.recipients) == ("MAILER-DAEMON", [ANN])
    assert notice["Auto-Submitted"] == "auto-generated"
    text = notice.message.as_string()
    assert CLASS in text and hold["id"] in text
    assert not re.search(r"\bp[1-5]\b", text)
    assert notice["X-Mailbrake"] is None
    assert mail.holds() == [] and files(mail) == []
    assert mail.holds("--all")[0]["state"] == "refused"


def test_refuse_never_writes_to_a_forged_sender(administered):
    mail = administered()
    forged = mail.hold(client="127.9.9.9") + mail.hold(frm=STRANGER) + mail.hold(frm="")
    for hold in forged:
        mail.ok("quarantine", "refuse", hold["id"])
    assert files(mail) == []
    assert mail.delivered() == []


def test_delete_is_silent(administered):
    mail = administered()
    deleted, kept = mail.hold(2)
    mail.ok("quarantine", "delete", deleted["id"])
    assert [held.id for held in mail.held()] == [kept["queue_id"]]
    assert mail.delivered() == []
    states = {hold["id"]: hold["state"] for hold in mail.holds("--all")}
    assert states == {deleted["id"]: "deleted", kept["id"]: "held"}


def test_an_incident_is_released_as_one(administered):
    mail = administered()
    holds = mail.hold(3)
    (other,) = mail.hold(frm=BOB)
    (incident,) = {hold["incident"] for hold in holds}
    answer = mail.json("quarantine", "release", "--incident", incident)
    assert (answer["done"], answer["failed"]) == (3, 0)
    assert mail.delivered().by_recipient() == {address: 3 for address in people(5)}
    assert [hold["id"] for hold in mail.holds()] == [other["id"]]
    assert [held.id for held in mail.held()] == [other["queue_id"]]


def test_a_message_that_is_gone_is_reported(administered):
    mail = administered()
    kept, lost = mail.hold(2)
    for path in mail.mta.queue.glob(f"[hd]f{lost['queue_id']}"):
        path.unlink()
    assert "not in the queue any more" in mail.ok("quarantine", "show", lost["id"])
    done = mail.run("quarantine", "release", lost["id"])
    assert done.returncode == 1 and "not in the queue any more" in done.stderr
    assert [hold["id"] for hold in mail.holds()] == [kept["id"]]
    assert mail.delivered() == []


# Rebuilding.


def records(mail):
    names = ("rule", "incident", "reach", "queue_id", "state")
    return {hold["id"]: [hold[name] for name in names] for hold in mail.holds()}


@redis_only
def test_sync_rebuilds_from_the_queue_alone(administered, redis):
    mail = administered()
    mail.hold(5)
    before = records(mail)
    mail.daemon.allow_log("Redis has lost data")
    redis.flush()
    assert mail.holds() == []
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["restored"], told["failed"]) == (5, 5, 0)
    assert records(mail) == before
    told = mail.json("quarantine", "sync")
    assert (told["known"], told["restored"], told["ended"]) == (5, 0, 0)
    assert mail.delivered() == []
    mail.ok("quarantine", "release", next(iter(before)))
    assert mail.delivered().copies == 5


def test_what_a_crash_of_the_memory_store_lost_is_rebuilt(administered):
    mail = administered()
    mail.hold(2)
    before = records(mail)
    mail.daemon.kill()
    (mail.helper.dir / "state").unlink(missing_ok=True)
    mail.daemon.start()
    wait_until(lambda: records(mail) == before, 10, "mailbraked rebuilt nothing")
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["known"], told["ended"]) == (2, 2, 0)
    for hold in before:
        mail.ok("quarantine", "release", hold)
    assert mail.delivered().copies == 10


def test_sync_ends_what_is_gone_and_takes_back_what_is_held_again(administered):
    mail = administered()
    kept, lost, again = mail.hold(3)
    states = {kept["id"]: "held", lost["id"]: "gone", again["id"]: "released"}
    for path in mail.mta.queue.glob(f"[hd]f{lost['queue_id']}"):
        path.unlink()
    mail.mta.run("-qQ", "-Q", f"-qI{again['queue_id']}")  # by hand, and not yet on its way
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["ended"], told["restored"]) == (1, 2, 0)
    assert {hold["id"]: hold["state"] for hold in mail.holds("--all")} == states
    mail.mta.run("-Qby hand", f"-qI{again['queue_id']}")
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["ended"], told["restored"]) == (2, 0, 1)
    states[again["id"]] = "held"
    assert {hold["id"]: hold["state"] for hold in mail.holds("--all")} == states


def test_sync_leaves_what_others_hold(administered):
    mail = administered(rules="")
    with mail.mta.sink.away():
        assert mail.send(ANN, FAR).accepted
        wait_until(lambda: mail.mta.waiting(), 10, "no mail")
        (queue_id,) = mail.mta.waiting()
        mail.mta.run("-Qby hand", f"-qI{queue_id}")
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["foreign"], told["restored"]) == (1, 1, 0)
    assert mail.holds() == []


# A brake.


def test_pull_back_holds_what_was_accepted(administered):
    mail = administered(rules="")
    with mail.mta.sink.away():
        for frm in (ANN, ANN, BOB):
            assert mail.send(frm, FAR).accepted
        wait_until(lambda: len(mail.mta.waiting()) == 3, 10, "no mail")
        words = mail.ok("brake", "set", f"sender:{ANN}", "--pull-back")
        assert "2 messages still in the queue were put on hold" in words
    holds = mail.holds()
    assert [hold["rule"] for hold in holds] == ["brake", "brake"]
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["known"], told["ended"]) == (2, 2, 0)
    mail.mta.run("-q")
    assert [d.sender for d in mail.delivered()] == [BOB]
    mail.ok("quarantine", "release", holds[0]["id"])
    mail.ok("quarantine", "refuse", holds[1]["id"])
    assert sorted(d.sender for d in mail.delivered()) == [ANN, BOB]
    assert files(mail) == []
