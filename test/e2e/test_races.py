"""All threads at work at once: mail, reloads, the watches, the control API. script/test runs
it under ThreadSanitizer, which complains in the log."""

import signal
import time

import milter
from mailbraked import Command, people

RULES = """
    { name = "posting"; from = ["@bad.example"]; to = ["list:*"]; action = "reject"; },
    { name = "held"; to = ["list:*"]; key = "list"; limit = "50 messages per 1d"; latch = "1h";
      action = "quarantine"; },
    { name = "grown"; key = "campaign"; surge = 2.0; window = "1d"; floor = 300; latch = "1h";
      action = "quarantine"; },
    { name = "rate"; key = "sender"; limit = "900 messages per 1h"; action = "reject"; }
"""
VERBS = (
    ("status",),
    ("brake", "set", "sender:x@bad.example", "--for", "1h"),
    ("quarantine", "list"),
    ("incidents", "list"),
    ("limits", "show", "sender:a0@district.example"),
    ("limits", "reset", "sender:a1@district.example"),
    ("brake", "clear", "sender:x@bad.example"),
    ("reload",),
)


def test_everything_at_once(mailbraked, build, store):
    daemon = mailbraked(store, rules=RULES, lists={"some": people(5)})
    daemon.allow_log(".")  # of mail that is held without a queue; see what is asserted
    command = Command(build, daemon.config)
    load = [
        milter.Load(build, [daemon.milter], messages=1200, connections=6, rate=400, **words)
        for words in (
            {"from": "a%c@district.example", "to": "some@district.example"},
            {"from": "ann@else.example", "to": "bob@district.example", "subject": "Hello %n"},
        )
    ]
    for verb in VERBS:
        daemon.signal(signal.SIGUSR1)
        done = command.run(*verb)
        assert done.returncode == 0, (verb, done.stderr)
        time.sleep(0.2)
    for one in load:
        result = one.result()
        assert result["unanswered"] == result["broken"] == 0, result
        assert result["quarantine"] > 0, result
    assert daemon.stop()[1] == 0
    assert "Sanitizer" not in daemon.text(), daemon.text()[:20000]
