"""mailbrake simulate and learn: the rules over what Postfix and Sendmail logged say what
mailbraked said, and find the storms; a month of ordinary mail takes seconds."""

import collections
import json
import os
import re
import subprocess
import time

import pytest

from conftest import ROOT
from mailbraked import people
from sendmail import sendmail_program, sendmail_relay  # noqa: F401, fixtures
from stores import memory_only

ANN, BOB, CID = (f"{name}@district.example" for name in ("ann", "bob", "cid"))
SCRIPT = "sis-export@district.example"
NONE = {"messages": 0, "copies": 0}

RULES = """
{ name = "cap"; to = ["list:*"]; copies_over = 50; action = "reject"; },
{ name = "places"; from = ["login:eve", "login:fay"]; key = "login";
  limit = "2 clients per 366d"; action = "quarantine"; },
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

USED_FROM = {
    "eve": ["10.9.1.1", "2001:db8:1:2::1", "10.9.1.2", "2001:db8:1:2::9"],
    "fay": ["10.9.1.1", "10.9.1.3", "10.9.1.1"],
}


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


def said_alike(verdicts, document):
    """Whether mailbraked's verdicts and the document are the same, rule by rule; how many
    rules and verdicts stopped something."""
    named = {"quarantine": "held", "defer": "deferred", "reject": "refused"}
    stopped = collections.Counter(
        (line.rule, named[line.verdict]) for line in verdicts if line.verdict != "accept"
    )
    told = {
        (rule["name"], verdict): rule[verdict]["messages"]
        for rule in document["rules"]
        for verdict in named.values()
        if rule[verdict]["messages"] > 0
    }
    assert told == dict(stopped)
    assert document["log"]["messages"] == len(verdicts)
    assert document["accepted"]["messages"] == len(verdicts) - sum(stopped.values())
    return len(told)


@memory_only
def test_simulate_stops_what_mailbraked_stopped(relay, tmp_path):
    mail = relay(
        rules=RULES,
        lists={"large": people(51), "small": people(4, "q")},
        virtual=f"info@district.example {BOB}\n",
        aliases="al-team: p1, p2, far@away.example\nal-all: al-team, p3\n",
    )
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
    for login, clients in USED_FROM.items():
        for client in clients:
            mail.send(f"{login}@elsewhere.example", BOB, login=login, client=client)
    for sender in (ANN, BOB, CID):
        mail.send(sender, "small@district.example")
    for n in range(4):  # local(8) expands it, under another queue id
        mail.send(f"w{n}@elsewhere.example", "al-all@district.example")
    mail.send("<>", ["info@district.example", ANN])
    mail.send(CID, "nobody-1@away.example")  # bounces
    for held in mail.held():
        mail.postfix.release(held.id)
    mail.delivered()
    verdicts = mail.log()
    part = tmp_path / "mail.log"
    part.write_bytes(log.read_bytes()[before:])

    found = simulate(mail.command, "--log", part)
    assert said_alike(verdicts, found) == 6
    assert stops_by_key(found) == {
        ("cap", "sender:ann@district.example"): 2,
        ("places", "login:eve@district.example"): 1,
        ("chatty", "login:ann@district.example"): 2,
        ("machine", "client:10.0.7.9"): 2,
        ("cron", "client:local"): 2,
        ("list", "list:small@district.example"): 1,
        ("list", "list:al-all@district.example"): 2,
    }
    would = [stop for stop in found["would_stop"] if stop["monitor"]]
    assert {stop["rule"] for stop in would} == {"watched"}
    hashed = simulate(mail.command, "--hashed", "--log", part)
    assert "district.example" not in json.dumps(hashed["would_stop"])
    table = mail.command.run("simulate", "--log", part).stdout
    # Of a message that was deferred or refused at its end, Postfix logs one recipient.
    assert re.search(r"^machine +client:10\.0\.7\.9 +2 +2 ", table, re.MULTILINE), table


def test_simulate_reads_what_sendmail_logged(sendmail_relay):
    mail = sendmail_relay(
        rules="""
        { name = "cap"; copies_over = 4; action = "reject"; },
        { name = "machine"; from = ["client:127.9.0.0/16"]; key = "client";
          limit = "3 recipients per 366d"; action = "defer"; },
        { name = "list"; to = ["list:*"]; key = "list"; limit = "2 messages per 366d";
          action = "quarantine"; }
        """,
        aliases="five: a, b, c, d, e\nthree: a, b, c\n",
    )
    mail.send(ANN, "five@district.example")
    for n in range(5):
        mail.send(f"v{n}@elsewhere.example", BOB, client="127.9.8.7")
    for sender in (ANN, BOB, CID):
        mail.send(sender, "three@district.example")
    verdicts = mail.log(at_least=9)
    mail.delivered()
    (held,) = mail.held()
    mail.mta.release(held.id)  # only now its recipients are logged
    mail.delivered()
    found = simulate(mail.command, "--log", mail.mta.mail_log)
    assert said_alike(verdicts, found) == 3
    assert stops_by_key(found) == {
        ("cap", "sender:ann@district.example"): 1,
        ("machine", "client:127.9.8.7"): 2,
        ("list", "list:three@district.example"): 1,
    }


# ---- storms, written as logs ----


class Scenario:
    """A scenario of test/replay as a log, and the sample with its lists."""

    def __init__(self, build, folder, name, **variables):
        support = build.dir / "test" / "support"
        path = ROOT / "test" / "replay" / f"{name}.scenario"
        words = ["=".join(map(str, item)) for item in variables.items()]
        self.build, self.folder = build, folder
        self.limits, self.seconds = [], []
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

    def run(self, verb, config, *logs):
        began = time.monotonic()
        done = subprocess.run(
            [*self.limits, self.build.mailbrake, verb, "-c", config, "--json", "--log", *logs],
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.seconds.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def move(self, old, new):
        """Leaves only one day of the log, and makes it another."""
        lines = [line for line in self.log.read_text().splitlines(True) if line.startswith(old)]
        self.log.write_text("".join(lines).replace(old, new))


@pytest.mark.parametrize(
    "name, variables, rule, key, messages, copies",
    [
        ("seattle-a", {"weeks": 9}, "automation-grown", "login:sis-export", 4, 3400),
        ("palo-alto-a", {"crowd": 500, "pupils": 500}, "list-posting", f"login:{SCRIPT}", 118, 59000),
    ],
)
def test_storms_are_found_in_logs(build, tmp_path, name, variables, rule, key, messages, copies):
    storm = Scenario(build, tmp_path, name, **variables)
    found = storm.run("simulate", storm.sample(), storm.log)
    (stop,) = found["would_stop"]
    assert stop == {
        "rule": rule,
        "key": key,
        "messages": messages,
        "copies": copies,
        "first": found["closed"]["at"],
        "monitor": False,
    }
    assert "outgrown" in {unjudged["rule"] for unjudged in found["unjudged"]}


def by_rule(document):
    return {(rule["name"], verdict): sums for rule in document["rules"] for verdict, sums in rule.items()}


@pytest.mark.parametrize(
    "name, variables",
    [
        ("seattle-c", {"weeks": 12}),
        ("palo-alto-b1", {"pupils": 200, "answers": 54, "crowd": 1000}),
        ("attack-places", {"days": 4}),
        ("attack-verp", {"weeks": 3, "attempts": 800, "machines": 2000}),
    ],
)
def test_a_log_says_what_replay_says(build, tmp_path, name, variables):
    """Of storms that no rule on header fields stops."""
    storm = Scenario(build, tmp_path, name, **variables)
    sample = storm.sample()
    given = [word for item in variables.items() for word in ("--set", "=".join(map(str, item)))]
    scenario = ROOT / "test" / "replay" / f"{name}.scenario"
    command = [build.mailbrake, "replay", "-c", sample, "--json", scenario, *given]
    played = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    found = storm.run("simulate", sample, storm.log)
    assert by_rule(found) == by_rule(played)
    assert found["messages"] == played["messages"]
    assert (found["closed"] or {}).get("at") == (played["closed"] or {}).get("at")


def test_only_the_time_asked_for(build, tmp_path):
    storm = Scenario(build, tmp_path, "seattle-a", weeks=3)
    sample = storm.sample()
    early = storm.run("simulate", sample, storm.log, "--until", "2024-01-22T06:00:00Z")
    late = storm.run("simulate", sample, storm.log, "--since", "2024-01-22T06:00:00Z")
    assert (early["messages"], early["would_stop"]) == (3, [])
    # It knows nothing of the weeks before: 500 are the floor.
    assert (late["messages"], late["refused"], late["held"]["messages"]) == (4, NONE, 4)
    drawn = tmp_path / "storm.svg"
    storm.run("simulate", sample, storm.log, "--svg", drawn)
    assert "would pass: 1," in drawn.read_text() and "judged by Mailbrake from its log" in drawn.read_text()
    for verb in ("simulate", "learn"):
        done = subprocess.run(
            [build.mailbrake, verb, "-c", sample, "--log", storm.log, "--until", "2023-12-31"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and "no mail of that time" in done.stderr


# ---- learn ----


def rules_of(block):
    """{name: rule} of a block of rules, which are no more monitored."""
    text = re.sub(r"^ *#.*\n", "", block, flags=re.M)
    rules = re.findall(r'\{ name = "([^"]*)"(.*?)\}', text, flags=re.S)
    assert all('mode = "monitor";' in rule for _, rule in rules)
    return {
        name: f'{{ name = "{name}"{rule}}}'.replace('mode = "monitor";', "")
        for name, rule in rules
    }


def learn_and_simulate(build, folder, month, **sizes):
    """A month of ordinary mail teaches limits that stop none of it, but both storms in it."""
    sample = month.sample()
    evening = Scenario(build, folder, "palo-alto-a", crowd=1, pupils=sizes.get("pupils", 10000))
    script = Scenario(build, folder, "seattle-a", weeks=1)
    evening.move("2024-12-13", "2027-02-11")
    script.move("2024-01-08", "2027-03-01")
    learned = month.run("learn", sample, month.log)
    assert {rule["name"] for rule in learned["rules"]} >= {"sender-rate", "automation-grown"}
    for rule in learned["rules"]:
        assert rule["outliers"] == [], rule
        assert rule["nearest"][0]["largest"] == rule["largest"] < rule["limit"], rule
    rules = rules_of(learned["configuration"])
    assert "reply-storm" in rules
    taught = month.sample(rules)
    checked = subprocess.run([build.mailbrake, "check", "-c", taught], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    found = month.run("simulate", taught, month.log, evening.log, script.log)
    stops = {(stop["rule"], stop["key"]): stop for stop in found["would_stop"]}
    assert set(stops) == {
        ("list-posting", f"login:{SCRIPT}"),
        ("automation-grown", "login:sis-export"),
    }, found["would_stop"]
    assert stops["list-posting", f"login:{SCRIPT}"]["messages"] == 118
    assert stops["automation-grown", "login:sis-export"]["first"].startswith("2027-03-01T06:00")
    assert stops["automation-grown", "login:sis-export"]["copies"] >= 2400


def test_what_was_learnt_stops_storms_and_no_mail(build, tmp_path):
    month = Scenario(build, tmp_path, "month", pupils=300)
    learn_and_simulate(build, tmp_path, month, pupils=300)
    # With the storm of Seattle in the log, nothing else is learnt, and it is named.
    script = tmp_path / "seattle-a.log"
    config = month.sample()
    learned = {rule["name"]: rule for rule in month.run("learn", config, month.log)["rules"]}
    again = {rule["name"]: rule for rule in month.run("learn", config, month.log, script)["rules"]}
    grown = again["automation-grown"]
    assert grown["outliers"] == [{"key": "login:sis-export", "largest": 3400}]
    assert grown["limit"] == learned["automation-grown"]["limit"]
    text = subprocess.run(
        [build.mailbrake, "learn", "-c", config, "--hashed", "--log", month.log, script],
        capture_output=True,
        text=True,
    ).stdout
    assert re.search(r"# +3,400  login:[0-9a-f]{32}  \(", text), text


class Log:
    """What Postfix logs of messages, one in a minute."""

    def __init__(self, build, folder, settings):
        self.mailbrake, self.count, self.lines = build.mailbrake, 0, []
        self.config, self.path = folder / "mailbrake.conf", folder / "mail.log"
        self.config.write_text(f'domains = [ "district.example" ];\n{settings}')

    def add(self, client=None, login=None, sender="a@district.example"):
        """client None: sendmail(1)."""
        self.count += 1
        minute = f"2026-10-{5 + self.count // 1440:02}T{self.count // 60 % 24:02}:{self.count % 60:02}:00+00:00"
        id = f"{minute} mx postfix/%s[9]: {0xA000000 + self.count:X}:"
        if client is None:
            self.lines.append(f"{id % 'pickup'} uid=1000 from=<{sender}>")
        else:
            by = f", sasl_method=PLAIN, sasl_username={login}" if login else ""
            self.lines.append(f"{id % 'smtpd'} client=unknown[{client}]{by}")
        self.lines += [
            f"{id % 'qmgr'} from=<{sender}>, size=9, nrcpt=1 (queue active)",
            f"{id % 'smtp'} to=<b@far.example>, relay=x[10.0.0.9]:25, delay=1, dsn=2.0.0, status=sent (250 ok)",
            f"{id % 'qmgr'} removed",
        ]

    def run(self, verb, *words):
        self.path.write_text("\n".join([*self.lines, ""]))
        done = subprocess.run(
            [self.mailbrake, verb, "-c", self.config, *words, "--log", self.path],
            capture_output=True,
            text=True,
            env={**os.environ, "TZ": "UTC"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


PLACES = """
relays = [ "client:10.0.0.2" ];
rules = (
  { name = "places"; key = "login"; limit = "2 clients per 1d"; action = "quarantine"; },
  { name = "senders"; key = "sender"; limit = "3 clients per 1d"; latch = "1h"; action = "defer"; },
  { name = "subject"; key = "topic"; limit = "2 messages per 1d"; action = "defer"; },
  { name = "closed"; from = ["evil@far.example"]; action = "reject"; }
);
"""


def test_learn_counts_clients(build, tmp_path):
    log = Log(build, tmp_path, PLACES)
    for day in range(2):  # two IPv6 addresses of one network; a relay, which judged it already
        for client in ("10.1.1.1", "10.1.1.2", "2001:db8::1", "2001:db8::2", "10.0.0.2", "10.1.1.1"):
            log.add(client, "ann")
        log.add("10.1.1.1", "ben")
        log.add("10.1.1.9" if day else "10.1.1.7", "ben")
        log.count = 1430 * (day + 1)  # within a day of the last time
    log.add()
    log.add("10.1.1.1", sender="evil@far.example")
    for n in range(300):
        log.add(f"198.51.{n // 250}.{n % 250}", "mal")
    for n in range(4):
        log.add(f"10.1.1.{n}", f"cid{n}")

    learned = json.loads(log.run("learn", "--json"))
    places, senders = learned["rules"]
    ann, ben, mal = (f"login:{login}@district.example" for login in ("ann", "ben", "mal"))
    assert (places["name"], places["unit"], places["period_s"]) == ("places", "clients", 86400)
    assert (places["keys"], places["largest"], places["limit"]) == (7, 3, 8)
    assert places["outliers"] == [{"key": mal, "largest": 257}]
    assert places["nearest"][:2] == [{"key": ann, "largest": 3}, {"key": ben, "largest": 3}]
    assert {"key": "client:local", "largest": 1} in senders["nearest"]
    assert [rule["rule"] for rule in learned["unjudged"]] == ["subject"]
    assert "a log has no subjects" in learned["unjudged"][0]["why"]

    block = log.run("learn")
    assert block == learned["configuration"]
    assert learned["stopped"] == 1
    assert "# Of these, 1 teaches nothing: held, refused, or stopped by a rule without a limit.\n" in block
    assert block.startswith("# The mail of mail.log: 322 messages, Mon 05 Oct 2026 to Wed 07 Oct 2026.\n")
    assert "# places: 7 keys; the most that one had in 1d: 3 clients.\n" in block
    assert '# The rule has limit = "2 clients per 1d".\n' in block
    assert 'limit = "8 clients per 1d"; ' in block and "burst" not in block
    log.config.write_text(f'domains = [ "district.example" ];\n{block}')
    subprocess.run([build.mailbrake, "check", "-c", log.config], check=True, capture_output=True)
    would = [stop for stop in json.loads(log.run("simulate", "--json"))["would_stop"]]
    assert [(stop["rule"], stop["key"], stop["messages"]) for stop in would] == [
        ("places", mal, 292),
        ("senders", mal, 292),
    ]

    late = log.run("learn", "--since", "2026-10-07")
    assert re.match(r"# The mail of mail.log: \d+ messages, Wed 07 Oct 2026 to Wed 07 Oct 2026\.\n", late), late

    # Who has all that can be counted is what the others are measured by.
    log.add("10.1.1.1", "zoe")
    for login in ("mel", "moe"):
        for n in range(300):
            log.add(f"198.51.{n // 250}.{n % 250}", login)
    block = log.run("learn")
    assert "257 clients or more.\n" in block and 'limit = "256 clients per 1d"' in block
    assert "# No limit can be over 256: this one would stop some of its mail.\n" in block


def test_simulate_says_what_went_wrong(build, tmp_path):
    log = Log(
        build,
        tmp_path,
        """rules = ( { name = "rate"; key = "sender"; limit = "1 messages per 1d";
        reply = false; action = "defer"; mode = "monitor"; } );""",
    )
    for _ in range(3):
        log.add("10.1.1.1", "ann")
    log.lines.append("from another world")
    told = log.run("simulate")
    assert "Nothing would have been stopped, as the rules that fire only monitor.\n" in told
    assert "13 lines of log were read; 1 of them is no log line, or is cut:\n" in told
    assert "Nothing would have been stopped.\n" in log.run("simulate", "--since", "2026-10-05 00:03")

    assert "# reply = false: judged as if no message were a reply.\n" in log.run("learn")
    for verb in "simulate", "learn":
        with open("/dev/full", "w") as full:
            command = [build.mailbrake, verb, "-c", log.config, "--log", log.path]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, "can't write the answer" in done.stderr) == (1, True), verb

    log.path.write_text('{"MESSAGE": "from ann@district.example"}\nand another\n')
    for words in (), ("--hashed",):
        command = [build.mailbrake, "simulate", "-c", log.config, "--log", log.path, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert "no mail in 2 lines of log; 2 of them are no log lines, or are cut" in done.stderr
        assert ("ann@district.example" in done.stderr) is not bool(words)
    log.path.write_text("from another world\n")
    done = subprocess.run(command, capture_output=True, text=True)
    assert "no mail in 1 line of log, which is no log line, or is cut.\n" in done.stderr


@pytest.mark.timing
def test_a_month_takes_seconds(build, tmp_path):
    """1.26 million messages, in 11 million lines of 1.7 GB: each run under 30 s in 200 MB,
    which it would not survive without."""
    if not build.release:
        pytest.skip("measured on a release build")
    month = Scenario(build, tmp_path, "month")
    month.limits = ["prlimit", f"--data={200 << 20}"]
    try:
        learn_and_simulate(build, tmp_path, month)
    finally:
        month.log.unlink()
    assert max(month.seconds) < 30, month.seconds
