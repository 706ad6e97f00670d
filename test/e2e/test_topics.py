"""One subject from many stolen accounts, each within its own limits: what is held, what the
administrator sees of it, and that nobody sees the subject."""

from helper import helped, helper  # noqa: F401, fixtures
from test_admin import ANN, administered  # noqa: F401, a fixture
from test_notices import ADMIN, wait_for

RULES = """
{ name = "one-topic"; from = ["login:*"]; reply = false; key = "topic"; limit = "3 recipients per 366d"; latch = "1h";
  action = "quarantine"; },
{ name = "each"; key = "sender"; limit = "2 recipients per 366d"; action = "reject"; }
"""

WORDS = "xylophone"  # in no other text


def phish(mail, number, subject="Your {} mailbox {} is full", **headers):
    headers["Subject"] = subject.format(WORDS.upper(), number)
    sender = f"pupil{number}@district.example"
    assert mail.send(sender, f"victim{number}@x.example", login=f"pupil{number}",
                     client=f"198.51.100.{number}", headers=headers).accepted


def attack(mail):
    """Three accounts get one message out each; three more are stopped."""
    for number in range(1, 7):
        phish(mail, number)
    (incident,) = mail.json("incidents")["incidents"]
    assert len(mail.holds()) == incident["held"] == 3
    return incident


def explain(mail, subject):
    return mail.json("explain", "--login", "pupil9", "--from", "pupil9@district.example",
                     "--to", ANN, "--header", f"Subject: {subject}")


def test_a_mailing_from_many_accounts_is_one_incident(administered):  # noqa: F811
    mail = administered(rules=RULES, notify={"to": [ADMIN], "tell_sender": False})
    incident = attack(mail)
    assert incident["rule"] == "one-topic" and incident["key"].startswith("topic:")

    notice = wait_for(mail, ADMIN)
    assert "login:pupil4@district.example" in notice["Subject"]
    text = notice.message.get_payload()
    assert "quarantine release --incident" in text and "brake set" not in text

    explained = explain(mail, f"your {WORDS}  mail\u00adbox 77 is full")
    assert explained["topic"] == f"your {WORDS} mailbox # is full"
    rule = explained["rules"][0]
    assert rule["state"] == "fires" and rule["keys"][0]["subject"] == incident["key"]
    assert explain(mail, "Re:")["topic"] is None
    why = explain(mail, "Re:")["rules"][0]
    assert (why["state"], why["why"]) == ("skipped", "the message has no topic")

    for subject in ("Re:", "Your mailbox is full"):
        phish(mail, 7, subject)
    phish(mail, 8, **{"In-Reply-To": "<a@x.example>"})
    assert len(mail.holds()) == 3


def test_what_an_administrator_does_about_a_topic(administered):  # noqa: F811
    mail = administered(rules=RULES)
    incident = attack(mail)
    (limit,) = mail.json("limits", "show", incident["key"])["limits"]
    assert (limit["rule"], limit["key"], limit["left"]) == ("one-topic", "topic", 0)
    assert limit["latched_until"]
    (top,) = mail.json("limits", "top", "--rule", "one-topic")["limits"]
    assert (top["subject"], top["latched_until"]) == (incident["key"], limit["latched_until"])
    mail.ok("incidents", "allow", incident["id"], "--for", "1h")
    phish(mail, 7)
    mail.ok("incidents", "close", incident["id"])
    mail.ok("limits", "reset", incident["key"])
    assert mail.json("limits", "show", incident["key"])["limits"][0]["left"] == 3
    mail.ok("quarantine", "refuse", "--incident", incident["id"])
    assert mail.holds() == []


def everything_written(mail, redis):
    """All files of the daemon, and what Redis has."""
    redis.command("CONFIG", "SET", "rdbcompression", "no")
    redis.command("SAVE")
    folders = mail.daemon.dir, mail.audit_file.parent, redis.dir
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files)


def test_the_subject_is_written_nowhere(administered, redis):  # noqa: F811
    mail = administered(rules=RULES, notify={"to": [ADMIN], "tell_sender": True})
    incident = attack(mail)
    notices = [wait_for(mail, ADMIN), wait_for(mail, "pupil4@district.example")]
    explain(mail, f"Your {WORDS} mailbox 5 is full")
    told = mail.ok_json("incidents", "show", incident["id"]) + mail.ok_json("quarantine", "list")
    assert not any(WORDS in notice.message.as_string().lower() for notice in notices)
    mail.daemon.stop()
    written = everything_written(mail, redis)
    assert incident["key"].encode() in written
    assert WORDS not in told.lower() and WORDS.encode() not in written.lower()
