"""The scenarios of test/replay, played as an MTA would: through the milter protocol,
against mailbraked with the sample configuration and a Redis of its own, all of whose
clocks show each message's time. Message by message they must say what `mailbrake replay`
says. Here they are small; test_replay_stores plays them in full."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import xml.etree.ElementTree

import pytest

from mailbraked import Command, Mailbraked
from redis import Redis
from set_clock import Clock

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "test" / "replay"
START_US = 1_700_000_000_000_000  # of the clock, until the first message

# How much of each is enough here, and fits the quarantine.
SMALL = {
    "palo-alto-a": {"pupils": 400, "crowd": 400},
    "palo-alto-b1": {"pupils": 600, "answers": 100, "crowd": 400},
    "palo-alto-b2": {"staff": 300, "answers": 80, "crowd": 300},
    "palo-alto-forged": {"pupils": 400},
    "palo-alto-c": {"pupils": 400, "posts": 18, "crowd": 300},
    "palo-alto-c-login": {"pupils": 400, "posts": 10, "crowd": 300},
    "seattle-a": {"weeks": 4},
    "seattle-b": {"weeks": 4, "grown": 1200},
    "seattle-c": {"weeks": 4},
    "seattle-first-month": {"grown": 560, "days": 1},
    "seattle-weekly": {"grown": 560},
    "exposure": {},
    "auto-replies": {"pupils": 400, "staff": 300, "answers": 600},
    "attack-burst": {"attempts": 400},
    "attack-mute": {"attempts": 200, "open": 300, "many": 60},
    "attack-null": {"attempts": 100},
    "attack-places": {"places": 30, "days": 1, "class": 40},
    "attack-phishing": {"stolen": 100, "rounds": 1, "pupils": 400, "answers": 300},
    "attack-small-lists": {"attempts": 100},
    "attack-tags": {"tags": 120, "members": 300, "buried": 10},
    "attack-verp": {"weeks": 1, "grown": 900, "attempts": 300},
    "right": {"members": 1600, "attempts": 60},
    "month": {"pupils": 300, "weeks": 1, "part": 10},
    "announced": {"size": 300},
}
# What the scenario permits, as an administrator types it.
LIST = "allstudents@district.example"
PERMITS = {
    "announced": ["login:office-lincoln", "--copies", "750", "--from", "2024-01-08 08:00"]
    + ["--for", "2h", "--to", LIST],
}
HARMLESS = {"seattle-c", "month"}


def sample(daemon, redis, lists):
    """The sample configuration, with other sockets, lists, and room for a storm."""
    text = (ROOT / "conf" / "mailbrake.conf").read_text()

    def change(pattern, value):
        nonlocal text
        text, count = re.subn(pattern, lambda match: value, text, flags=re.DOTALL)
        assert count == 1, pattern

    change(r'"unix:/var/spool/postfix/mailbrake/milter.sock";', f'"{daemon.milter}";')
    change(r'"/run/mailbrake/control.sock"', f'"{daemon.dir}/control.sock"')
    change(r'"/run/mailbrake/mta.sock"', f'"{daemon.dir}/mta.sock"')
    change(r'"tcp:127.0.0.1:6379"', f'"unix:{redis.socket}"')
    change(r'"/var/lib/mailbrake/state"', '""')
    change(r"timeout_ms = \d+;", "timeout_ms = 5000;")
    change(r"max_per_incident = \d+;", "max_per_incident = 15000;")
    change(r"max_messages = \d+;", "max_messages = 15000;")
    change(r'min_free = "\w+";', 'min_free = "0";')
    change(r"\nlists = \(.*?\n\);", f"\nlists = (\n{lists});")
    return text


def run_tool(build, *words):
    done = subprocess.run(
        [build.dir / "test" / "support" / "milter-replay", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def play(build, folder):
    """play("palo-alto-a", pupils=400): what the tool found."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="replay-", dir=folder))
    path.chmod(0o755)
    clock = Clock(build, path, START_US)
    redis = Redis(path / "redis")
    daemon = Mailbraked(build, path / "mailbraked")
    daemon.allow_log(r"there is no list allstudents@")  # not every scenario has it

    def run(name, **variables):
        scenario = SCENARIOS / f"{name}.scenario"
        given = [f"{key}={value}" for key, value in variables.items()]
        lists = run_tool(build, "--lists", path, scenario, *given)
        with clock.worn():
            redis.start()
            daemon.write(sample(daemon, redis, lists))
            daemon.start()
        if name in PERMITS:
            done = Command(build, daemon.config).run("permit", "set", *PERMITS[name])
            assert done.returncode == 0, done.stderr
        words = (scenario, daemon.config, daemon.milter, clock.path, *given)
        return json.loads(run_tool(build, *words))

    yield run
    daemon.kill()
    redis.stop()
    complaints = daemon.complaints()
    assert not complaints, "mailbraked said:\n" + "\n".join(complaints)


def test_each_scenario_is_played():
    assert set(SMALL) == {path.stem for path in SCENARIOS.glob("*.scenario")}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_milter_says_what_the_replay_says(play, name):
    found = play(name, **SMALL[name])
    assert found["differences"] == []
    assert found["met"], found
    assert found["messages"] == sum(found["totals"].values()) > 0
    assert (found["totals"]["accepted"] == found["messages"]) == (name in HARMLESS)


# The command.


def mailbrake_replay(build, *words, config=ROOT / "conf" / "mailbrake.conf"):
    return subprocess.run(
        [build.mailbrake, "replay", "-c", config, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_storm_is_shown_and_drawn(build, tmp_path):
    picture = tmp_path / "storm.svg"
    scenario = SCENARIOS / "palo-alto-a.scenario"
    done = mailbrake_replay(build, scenario, "--svg", picture, "--set", "crowd=500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert re.search(r"^refused +118 1,180,000$", done.stdout, re.MULTILINE)
    assert re.search(r"^met storm copies = 0 +0 +0$", done.stdout, re.MULTILINE)
    assert "The brake first closed on Fri 13 Dec 2024 18:55:00, by list-posting" in done.stdout
    root = xml.etree.ElementTree.parse(picture).getroot()
    assert root.tag.endswith("svg")
    assert os.listdir(tmp_path) == ["storm.svg"]


def test_the_document_has_each_minute(build):
    done = mailbrake_replay(build, SCENARIOS / "palo-alto-a.scenario", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["refused"] == {"messages": 118, "copies": 1_180_000}
    assert found["closed"]["rule"] == "list-posting" and found["closed"]["name"] == "storm"
    minutes = found["minutes"]
    assert len(minutes) == 65
    assert sum(minute["refused"]["copies"] for minute in minutes) == 1_180_000
    assert [name["name"] for name in found["names"]] == ["storm", "ordinary"]
    assert found["met"] and all(e["met"] for e in found["expectations"])


def test_what_does_not_come_true_is_exit_1(build, tmp_path):
    scenario = tmp_path / "s"
    scenario.write_text("send\nfrom ann@{domain}\nto bob@{domain}\nexpect all copies = 0\n")
    done = mailbrake_replay(build, scenario)
    assert done.returncode == 1
    assert re.search(r"^NOT MET all copies = 0 +1 +0$", done.stdout, re.MULTILINE)
    assert not json.loads(mailbrake_replay(build, scenario, "--json").stdout)["met"]


def test_what_is_wrong_is_told_with_file_and_line(build, tmp_path):
    scenario = tmp_path / "s"
    scenario.write_text("# nothing\nsend\nfrom ann@{domain}\nfrobnicate\n")
    done = mailbrake_replay(build, scenario)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{scenario}:4: 'frobnicate' is not known here" in done.stderr
    assert f"{scenario}:2: to is missing" in done.stderr
    assert mailbrake_replay(build, tmp_path / "none").returncode == 1
    broken = tmp_path / "broken.conf"
    broken.write_text('frob = "x";\n')
    scenario.write_text("send\nfrom ann@{domain}\nto bob@{domain}\n")
    done = mailbrake_replay(build, scenario, config=broken)
    assert done.returncode == 1 and f"{broken}:1:" in done.stderr


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "--set", "b"], ["a", "--frob"]])
def test_usage_is_exit_2(build, words):
    assert mailbrake_replay(build, *words).returncode == 2


def test_a_picture_that_cannot_be_written_is_told(build, tmp_path):
    scenario = tmp_path / "s"
    scenario.write_text("send\nfrom ann@{domain}\nto bob@{domain}\n")
    done = mailbrake_replay(build, scenario, "--svg", tmp_path / "no" / "s.svg")
    assert done.returncode == 1 and "No such file" in done.stderr
