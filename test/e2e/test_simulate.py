"""mailbrake simulate: the rules over what Postfix logged say what mailbraked said, and find
the storms; a month of ordinary mail passes in seconds."""

import collections
import json
import re
import subprocess

import pytest

from conftest import ROOT
from mailbraked import people
from stores import memory_only

ANN, BOB, CID = (f"{name}@district.example" for name in ("ann", "bob", "cid"))

RULES = """
{ name = "cap"; to = ["list:*"]; copies_over = 50; action = "reject"; },
{ name = "chatty"; from = ["login:*"]; key = "login"; limit = "3 messages per 366d";
  action = "quarantine"; },
{ name = "machine"; from = ["client:10.0.7.0/24"]; key = "client";
  limit = "4 recipients per 366d"; action = "defer"; },
{ name = "cron"; origin = "local"; key = "sender"; limit = "2 messages per 366d";
  action = "reject"; },
{ name = "list"; to = ["list:*"]; key = "list"; limit = "2 messages per 366d"; latch = "1d";
  action = "quarantine"; },
{ name = "watched"; key = "sender"; limit = "1 messages per 366d"; mode = "monitor";
  action = "reject"; }
"""


def simulate(command, *words):
    done = command.run("simulate", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def stops_by_key(document):
    """{(rule, key): messages} of what it would have stopped."""
    return {
        (stop["rule"], stop["key"]): stop["messages"]
        for stop in document["would_stop"]
        if not stop["monitor"]
    }


@memory_only
def test_simulate_stops_what_mailbraked_stopped(relay, tmp_path):
    mail = relay(rules=RULES, lists={"large": people(51), "small": people(4, "q")})
    log = mail.postfix.dir / "mail.log"
    before = log.stat().st_size
    for _ in range(2):
        mail.send(ANN, "large@district.example")
    for n in range(5):
        mail.send(f"v{n}@elsewhere.example", BOB, login="ann", client=f"10.9.0.{n}")
    for n in range(4):
        mail.send(CID, [BOB, f"x{n}@elsewhere.example"], client="10.0.7.9")
    for n in range(4):
        mail.sendmail(f"root{n}@district.example", BOB)
    for sender in (ANN, BOB, CID):
        mail.send(sender, "small@district.example")
    mail.send("<>", ANN)
    verdicts = mail.log()
    mail.postfix.wait_idle(20)
    part = tmp_path / "mail.log"
    part.write_bytes(log.read_bytes()[before:])

    stopped = collections.Counter(
        (line.rule, line.verdict) for line in verdicts if line.verdict != "accept"
    )
    assert len(stopped) == 5, stopped
    found = simulate(mail.command, "--log", part)
    assert found["log"]["messages"] == len(verdicts)
    named = {"quarantine": "held", "defer": "deferred", "reject": "refused"}
    by_rule = {rule["name"]: rule for rule in found["rules"]}
    for (rule, verdict), count in stopped.items():
        assert by_rule[rule][named[verdict]]["messages"] == count, (rule, by_rule[rule])
    assert sum(stopped.values()) == len(verdicts) - found["accepted"]["messages"]
    assert stops_by_key(found) == {
        ("cap", "sender:ann@district.example"): 2,
        ("chatty", "login:ann@district.example"): 2,
        ("machine", "client:10.0.7.9"): 2,
        ("cron", "client:local"): 2,
        ("list", "list:small@district.example"): 1,
    }
    would = [stop for stop in found["would_stop"] if stop["monitor"]]
    assert {stop["rule"] for stop in would} == {"watched"}
    hashed = simulate(mail.command, "--hashed", "--log", part)
    assert "district.example" not in json.dumps(hashed["would_stop"])
    table = mail.command.run("simulate", "--log", part).stdout
    # Of a message that was deferred or refused at its end, Postfix logs one recipient.
    assert re.search(r"^machine +client:10\.0\.7\.9 +2 +2 ", table, re.MULTILINE), table


# ---- storms, written as logs ----


class Scenario:
    """A scenario of test/replay as a log, and the sample with its lists."""

    def __init__(self, build, folder, name, **variables):
        support = build.dir / "test" / "support"
        path = ROOT / "test" / "replay" / f"{name}.scenario"
        words = ["=".join(map(str, item)) for item in variables.items()]
        self.build, self.folder = build, folder
        self.log = folder / f"{name}.log"
        with open(self.log, "wb") as out:
            subprocess.run([support / "scenario-log", path, *words], stdout=out, check=True)
        lists = folder / f"{name}-lists"
        lists.mkdir()
        self.lists = subprocess.run(
            [support / "milter-replay", "--lists", lists, path, *words],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def sample(self, rules=None):
        """conf/mailbrake.conf with these lists; rules: {name: text} of some."""
        text = (ROOT / "conf" / "mailbrake.conf").read_text()
        if self.lists:
            text = re.sub(r"^lists = \(.*?^\);", f"lists = (\n{self.lists});", text, flags=re.M | re.S)
        text = text.replace('"lists/', f'"{ROOT}/conf/lists/')
        for name, rule in (rules or {}).items():
            text, count = re.subn(rf'\{{ name = "{name}";.*?\}}', lambda _: rule, text, flags=re.S)
            assert count == 1, name
        path = self.folder / "sample.conf"
        path.write_text(text)
        return path

    def run(self, verb, config, *logs, timeout=300):
        done = subprocess.run(
            [self.build.mailbrake, verb, "-c", config, "--json", "--log", *logs],
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.mark.parametrize(
    "name, variables, rule, key, most",
    [
        ("seattle-a", {"weeks": 9}, "automation-grown", "login:sis-export", 1000),
        ("palo-alto-a", {"crowd": 500}, "list-posting", "login:sis-export@district.example", 0),
    ],
)
def test_storms_are_found_in_logs(build, tmp_path, name, variables, rule, key, most):
    storm = Scenario(build, tmp_path, name, **variables)
    found = storm.run("simulate", storm.sample(), storm.log)
    stops = {(stop["rule"], stop["key"]): stop for stop in found["would_stop"]}
    assert set(stops) == {(rule, key)}
    assert found["closed"]["rule"] == rule
    assert found["accepted"]["copies"] - 9 * 400 - 3 * variables.get("crowd", 0) <= most
    assert "outgrown" in {unjudged["rule"] for unjudged in found["unjudged"]}
