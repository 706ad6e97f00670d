"""Three Sentinels and two Redis: what `check` and `status` say of them, and a failover in
the middle of a storm."""

import json
import pathlib
import tempfile
import time

import pytest

import milter
from mailbraked import Command, config_text
from postfix import wait_until
from sentinels import MASTER, Sentinels
from stores import started
from test_doubt import documented_acl

pytestmark = [pytest.mark.timing, pytest.mark.xdist_group("sentinels")]

TIMEOUT_MS = 250
BURST = 300
RATE = (
    f'{{ name = "storm"; key = "sender"; limit = "1 messages per 366d"; burst = {BURST};'
    ' action = "reject"; }'
)
A_SECOND = 100  # messages


@pytest.fixture(scope="module")
def sentinels(folder):
    with started(Sentinels, folder) as servers:
        yield servers


@pytest.fixture
def check(build, folder):
    return lambda store: check_store(build, folder, store)


def check_store(build, folder, store):
    """What check says of a store, without a daemon."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="check-", dir=folder)) / "mailbrake.conf"
    path.write_text(config_text({"domains": ["district.example"], "store": store}, ""))
    return Command(build, path).check()


def test_check_says_which_server_it_is(sentinels, check):
    done = check(sentinels.settings(timeout_ms=2000))
    assert done.returncode == 0, done.stderr
    assert f"the store is at tcp:127.0.0.1:{sentinels.first.port}, which Sentinel" in done.stdout
    assert f'master "{MASTER}"' in done.stdout


@pytest.mark.parametrize(
    "change, words",
    [
        ({"master": "post"}, 'knows no master "post": see store.master'),
        ({"sentinel_password_file": ""}, "requires a password, set store.sentinel_password_file"),
        ({"sentinels": ["tcp:127.0.0.1:1"]}, "Sentinel tcp:127.0.0.1:1: Connection refused"),
    ],
)
def test_check_says_what_is_wrong(sentinels, check, change, words):
    done = check(sentinels.settings(timeout_ms=2000, **change))
    assert "store: store away: " in done.stderr and words in done.stderr, done.stderr


def test_check_tells_a_sentinel_from_a_redis(sentinels, check):
    redis = f"tcp:127.0.0.1:{sentinels.first.port}"
    done = check(sentinels.settings(timeout_ms=2000, sentinels=[redis], sentinel_password_file=""))
    assert "is no Sentinel: see store.sentinels" in done.stderr


def as_user(redis, folder, *more):
    """The settings of a user with what mailbrake.conf(5) says, and these commands."""
    password = folder / "user"
    password.write_text("password\n")
    password.chmod(0o600)
    words = [*documented_acl("mailbrake"), *more]
    redis.command("ACL", "SETUSER", "mailbrake", "reset")
    redis.command("ACL", "SETUSER", "mailbrake", "on", *words)
    return {"username": "mailbrake", "password_file": str(password), "timeout_ms": 2000}


def test_the_user_needs_role(sentinels, check):
    done = check(sentinels.settings(**as_user(sentinels.first, sentinels.dir)))
    assert "ROLE: NOPERM" in done.stderr and "see store.username in mailbrake.conf(5)" in done.stderr
    done = check(sentinels.settings(**as_user(sentinels.first, sentinels.dir, "+role")))
    assert "store: " not in done.stderr and "the store is at" in done.stdout, done.stderr


def wait_for_redis(build, daemon, since, seconds):
    while True:
        milter.load(build, daemon.milter, messages=1, connections=1, from_="probe@x.example")
        if daemon.verdicts(1)[-1].store == "redis":
            return
        assert time.monotonic() - since < seconds, "Redis is not used again"
        time.sleep(0.05)


def test_a_failover_in_the_middle_of_a_storm(sentinels, mailbraked, build):
    """The master is killed, its replica takes over, and the old one comes back empty."""
    store = sentinels.settings(timeout_ms=TIMEOUT_MS, on_failure="tempfail")
    daemon = mailbraked(store, rules=RATE)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    command = Command(build, daemon.config)
    load = milter.Load(
        build,
        [daemon.milter],
        trace=daemon.dir / "trace",
        messages=A_SECOND * 7,
        connections=16,
        rate=A_SECOND,
    )
    time.sleep(1.5)
    sentinels.first.kill()
    wait_until(lambda: "away" in command.run("status").stdout, 5, "nobody notices")
    assert "last at tcp:127.0.0.1:" in command.run("status").stdout
    wait_until(lambda: sentinels.master_port() == sentinels.second.port, 10, "no failover")
    promoted = time.monotonic()
    sentinels.first.start()  # empty, and a master until a Sentinel tells it otherwise
    wait_for_redis(build, daemon, promoted, 5)
    result, trace = load.result(), load.trace()

    assert result["unanswered"] == result["broken"] == 0, result
    limit_us = (TIMEOUT_MS + build.slack_ms) * 1000
    assert max(int(v.us) for v in daemon.verdicts()) <= limit_us
    assert not [t for t in trace if t.us > limit_us]
    # All that was charged on the first is known on the second, but for its last moment; what
    # it charged and could not say was answered 451.
    assert BURST - 5 <= result["accept"] <= BURST + 5, result
    assert result["reject"] > 0 and result["tempfail"] > 0, result

    status = status_store(build, daemon)
    assert status["state"] == "ok" and status["reason"] is None
    assert f"tcp:127.0.0.1:{sentinels.second.port}, which" in status["server"]
    assert f"store at tcp:127.0.0.1:{sentinels.second.port}, which" in daemon.text()


def role(redis):
    try:
        return redis.command("ROLE")[0]
    except OSError:
        return None  # whose role changes ends all connections


def test_a_planned_failover_in_the_middle_of_a_storm(sentinels, mailbraked, build):
    """SENTINEL FAILOVER: for ten seconds both are masters, and the old one still answers."""
    store = sentinels.settings(timeout_ms=5000, on_failure="tempfail")
    daemon = mailbraked(store, rules=RATE)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    wait_for_redis(build, daemon, time.monotonic(), 5)
    old = sentinels.master_port()
    new = next(r for r in (sentinels.first, sentinels.second) if r.port != old)
    wait_until(lambda: role(new) == "slave", 10, "the old master is no replica yet")
    load = milter.Load(
        build,
        [daemon.milter],
        messages=A_SECOND * 5,
        connections=16,
        rate=A_SECOND,
        from_="planned@x.example",
    )
    time.sleep(1.5)
    sentinels.command("SENTINEL", "FAILOVER", MASTER)
    wait_until(lambda: role(new) == "master", 10, "no failover")
    there = f"tcp:127.0.0.1:{new.port}, which Sentinel"
    wait_until(lambda: there in status_store(build, daemon)["server"], 5, "the new master isn't used")
    result = load.result()

    assert result["unanswered"] == result["broken"] == result["tempfail"] == 0, result
    # What was charged on the old one meanwhile is given back to the new one.
    assert BURST - 5 <= result["accept"] <= BURST + 5, result
    assert {v.store for v in daemon.verdicts()} == {"redis"}


def test_without_any_sentinel_the_last_master_is_used(sentinels, mailbraked, build):
    """They find the store; they do not carry it."""
    store = sentinels.settings(timeout_ms=2000, on_failure="tempfail")
    daemon = mailbraked(store, rules=RATE)
    master = next(r for r in (sentinels.first, sentinels.second) if r.port == int(at_port(daemon, build)))
    sentinels.stop_sentinels()
    daemon.expect_log("no Sentinel answers, so the last master is used until it fails: see store.sentinels")
    assert "no Sentinel answers now" in status_store(build, daemon)["server"]
    for _ in range(2):
        wait_until(lambda: clients(master) > 8, 5, "the connections are not replaced")
        master.command("CLIENT", "KILL", "TYPE", "normal")
        result = milter.load(build, daemon.milter, messages=10, connections=2, from_="alone@x.example")
        assert result["accept"] == 10
    assert {v.store for v in daemon.verdicts()} == {"redis"}


def clients(redis):
    """With the one that asks."""
    return len(redis.command("CLIENT", "LIST", "TYPE", "normal").splitlines())


def status_store(build, daemon):
    return json.loads(Command(build, daemon.config).run("status", "--json").stdout)["store"]


def at_port(daemon, build):
    return status_store(build, daemon)["server"].split(",")[0].rsplit(":", 1)[1]
