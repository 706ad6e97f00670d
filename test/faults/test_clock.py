"""The wall clock goes back an hour and leaps a day: no bucket is ever above its size, what is
shut stays shut for no longer than was said, and nothing stops."""

import json
import time

import pytest

import milter
from mailbraked import Command
from postfix import wait_until
from set_clock import Clock
from stores import MEMORY, redis_settings

BURST = 10
HOUR, DAY = 3600, 86400
RULES = f"""
    {{ name = "latched"; from = ["@storm.example"]; key = "sender"; limit = "1 messages per 1h";
       latch = "2h"; action = "reject"; }},
    {{ name = "hourly"; key = "sender"; limit = "{BURST} messages per 1h"; action = "reject"; }}
"""


@pytest.fixture(params=["memory", "redis"])
def set_up(request, mailbraked, build, own_redis, tmp_path):
    """A daemon, and the clock of it and its Redis."""
    clock = Clock(build, tmp_path, int(time.time()) * 1_000_000)
    store = dict(MEMORY) if request.param == "memory" else redis_settings(own_redis)
    with clock.worn():
        own_redis.kill()
        own_redis.start()
        daemon = mailbraked(store, rules=RULES)
    return daemon, clock


def accepted(build, daemon, frm, messages):
    """How many of so many pass; the others are refused by a rule, none for a fault."""
    result = milter.load(build, daemon.milter, messages=messages, connections=1, from_=frm)
    assert result["accept"] + result["reject"] == messages, result
    return result["accept"]


def test_a_bucket_is_never_above_its_size(set_up, build):
    daemon, clock = set_up

    def sent(messages):
        return accepted(build, daemon, "ann@x.example", messages)

    assert sent(6) == 6
    clock.move(-HOUR)
    assert sent(20) == BURST - 6
    clock.move(HOUR)  # an hour has gone by, as far as anybody can tell
    assert sent(20) == BURST
    clock.move(DAY)
    assert sent(20) == BURST
    for _ in range(24):  # each step gives a twentieth of an hour at most
        clock.move(-HOUR)
        clock.move(HOUR + 180)
        assert sent(2) <= 1
    clock.move(400 * DAY)
    assert sent(20) == BURST
    clock.move(-800 * DAY)
    assert sent(20) == 0


def test_what_is_shut_stays_shut_as_long_as_was_said(set_up, build):
    daemon, clock = set_up
    command = Command(build, daemon.config)
    frm = "x@storm.example"
    assert accepted(build, daemon, frm, 3) == 1
    for seconds in (-HOUR, HOUR):
        clock.move(seconds)
        assert accepted(build, daemon, frm, 2) == 0  # which renews the latch
    clock.move(DAY)
    assert accepted(build, daemon, frm, 3) == 1

    done = command.run("brake", "set", "domain:y.example", "--for", "2h", "--action", "reject")
    assert done.returncode == 0, done.stderr
    clock.move(-HOUR)
    time.sleep(0.6)  # a look at the brakes or two
    assert accepted(build, daemon, "a@y.example", 1) == 0
    clock.move(DAY)
    wait_until(lambda: accepted(build, daemon, "a@y.example", 1) == 1, 3, "still shut")
    status = json.loads(command.run("status", "--json").stdout)
    assert status["store"]["state"] == "ok" and status["uptime_s"] < 120
