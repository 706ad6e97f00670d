"""The demonstration behind script/demo: an ordinary school morning and then the storm,
through a real Postfix and Redis. Needs root and MAILBRAKE_BUILD; exits 0 only if all
ordinary mail was delivered and the storm was not."""

import os
import pathlib
import shutil
import sys
import tempfile
import time
from collections import Counter

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "test" / "e2e")]

from conftest import Build  # noqa: E402
from mailbraked import Mailbraked, people  # noqa: E402
from postfix import Postfix  # noqa: E402
from redis import Redis  # noqa: E402
from relay import Relay, lists_for_postfix  # noqa: E402
from stores import redis_settings  # noqa: E402

STUDENTS = 10_000
POSTS = 118
CLASS = people(27, "student")
# As districts have it: a large list is an include file, expanded by local(8).
ALIASES = "allstudents: :include:{folder}/allstudents.txt\nclass-4b: {members}\n"

# Some of the rules of conf/mailbrake.conf.
RULES = """
    { name = "announce-rate"; from = ["login:superintendent"]; to = ["list:*"]; reach_over = 200;
      key = "sender"; limit = "8 messages per 1d"; action = "quarantine"; },
    { name = "announce";      from = ["login:superintendent"]; to = ["list:*"]; action = "accept"; },
    { name = "students-cap";  from = ["list:allstudents@district.example"]; reach_over = 50; action = "reject";
      reason = "Students may write to at most 50 people at once."; },
    { name = "list-posting";  from_not = ["login:superintendent"];
      to = ["list:allstudents@district.example"]; action = "reject";
      reason = "Only the superintendent may write to this list."; },
    { name = "sender-rate";   key = "sender"; limit = "1000 recipients per 1h"; burst = 2000;
      action = "quarantine"; }
"""


def say(*words):
    print(*words, flush=True)


def ordinary_morning(mail):
    """(what, messages, reach of each, replies)"""
    notes = [
        mail.send(
            f"teacher{i}@district.example",
            f"student{i}@district.example",
            login=f"teacher{i}",
            headers={"Subject": "About yesterday"},
        )
        for i in range(1, 21)
    ]
    lesson = mail.send(
        "teacher1@district.example", "class-4b@district.example", login="teacher1",
        headers={"Subject": "Bring your atlas"},
    )
    family = mail.send(
        "office@district.example",
        [f"parent{i}@family.example" for i in range(1, 13)],
        login="office",
        headers={"Subject": "Parents' evening"},
    )
    announcement = mail.send(
        "superintendent@district.example", "allstudents@district.example",
        login="superintendent", headers={"Subject": "Snow day tomorrow"},
    )
    return [
        ("teachers to pupils", 20, 1, notes),
        ("a teacher to class-4b", 1, len(CLASS), [lesson]),
        ("the office to 12 families", 1, 12, [family]),
        ("superintendent to allstudents", 1, STUDENTS, [announcement]),
    ]


def storm(mail):
    """118 posts to allstudents, as they came on the evening of 13 December."""
    replies = {"automation account": [], "pupils, reply to all": [], "forged superintendent": []}
    for i in range(POSTS):
        headers = {"Subject": "Re: Snow day tomorrow", "References": "<snow@district.example>"}
        if i % 4 == 0:
            who = "automation account"
            sender, login, client = "sis-export@district.example", "sis-export", "10.0.8.15"
        elif i % 4 == 3:
            who = "forged superintendent"
            sender, login, client = "superintendent@district.example", None, "203.0.113.77"
        else:
            who = "pupils, reply to all"
            sender, login, client = f"student{i}@district.example", f"student{i}", "10.4.5.6"
        reply = mail.send(
            sender, "allstudents@district.example", login=login, client=client, headers=headers
        )
        replies[who].append(reply)
    return [(who, len(those), STUDENTS, those) for who, those in replies.items()]


def table(rows):
    say(f"  {'who':32} {'messages':>8} {'reach':>7} {'copies':>10} {'accepted':>9}")
    for who, messages, reach, replies in rows:
        accepted = sum(r.accepted for r in replies)
        say(f"  {who:32} {messages:8} {reach:7,} {messages * reach:10,} {accepted:9}")


def told(rows):
    for who, _, _, replies in rows:
        for (code, text), count in Counter((r.code, r.text) for r in replies).items():
            say(f"  {who} ({count} times):\n    {code} {text}")


def demonstrate(mail, postfix):
    say(f"\nAn ordinary morning. The list allstudents has {STUDENTS:,} members.\n")
    morning = ordinary_morning(mail)
    table(morning)
    wanted = sum(messages * reach for _, messages, reach, _ in morning)
    delivered = mail.delivered(timeout=90).copies
    say(f"\n  copies that should have been delivered: {wanted:,}")
    say(f"  copies that were delivered:             {delivered:,}")
    good = delivered == wanted and all(r.accepted for row in morning for r in row[3])

    say(f"\nThe storm: {POSTS} posts to allstudents.\n")
    postfix.sink.clear()
    started = time.monotonic()
    rows = storm(mail)
    table(rows)
    would = sum(messages * reach for _, messages, reach, _ in rows)
    stormed = mail.delivered(timeout=90).copies
    say(f"\n  copies that would have been delivered:  {would:,}")
    say(f"  copies that were delivered:             {stormed:,}")
    say(f"  answered within {time.monotonic() - started:.1f} s; nothing left in the queue to deliver")
    say("\nWhat each sender was told:\n")
    told(rows)
    return good and would == POSTS * STUDENTS and stormed == 0


def explain(mail):
    say("\nWhy, asked with mailbrake explain:\n")
    command = ["explain", "--login", "student17", "--client", "10.4.5.6"]
    command += ["--from", "student17@district.example", "--to", "allstudents@district.example"]
    say("  $ mailbrake", *command, "\n")
    done = mail.command.run(*command)
    say("".join(f"  {line}\n" for line in done.stdout.splitlines()))
    return done.returncode == 0


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailbrake-demo-", dir="/run"))
    folder.chmod(0o755)
    build = Build(os.environ["MAILBRAKE_BUILD"])
    postfix_folder = folder / "postfix"
    postfix_folder.mkdir()
    postfix, redis = Postfix(postfix_folder), Redis(folder / "redis")
    daemon = Mailbraked(build, folder / "mailbraked", postfix.milter_socket)
    good = False
    try:
        say("Starting a private Redis, Postfix and mailbraked in", folder)
        redis.start()
        postfix.start()
        (folder / "allstudents.txt").write_text("\n".join(people(STUDENTS, "student")) + "\n")
        aliases = ALIASES.format(folder=folder, members=", ".join(CLASS))
        lists_for_postfix(postfix, aliases=aliases)
        daemon.configure(redis_settings(redis, timeout_ms=250), rules=RULES, aliases=aliases)
        daemon.start()
        mail = Relay(postfix, daemon, build)
        good = demonstrate(mail, postfix)
        good = explain(mail) and good
    finally:
        if not good:
            say("The log of mailbraked:\n" + "\n".join(daemon.lines()[-20:]))
        daemon.kill()
        if (postfix_folder / "etc").exists():
            postfix.stop()
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)
    say("The storm was stopped and all ordinary mail was delivered." if good else "FAILED.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
