"""The system has no more memory for mailbraked, whoever in it asks: its own code (whose every
allocation test_shortage.c lets fail) or a library."""

import pathlib
import re
import subprocess

import pytest

import milter
from stores import redis_settings

BURST = 50
RULES = (
    '{ name = "big"; reach_over = 3000; action = "quarantine"; },'
    f'{{ name = "r"; key = "all"; limit = "1 messages per 366d"; burst = {BURST}; action = "reject"; }}'
)


def set_limit(daemon, number):
    subprocess.run(["prlimit", f"--pid={daemon.process.pid}", f"--data={number}:"], check=True)


def data_bytes(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(r"VmData:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.timing  # so that the release build has it
def test_without_memory_mail_waits(mailbraked, build, own_redis):
    if not build.release:
        pytest.skip("a sanitizer takes memory as it likes")
    store = redis_settings(own_redis, timeout_ms=500, on_failure="tempfail")
    daemon = mailbraked(store, rules=RULES)
    daemon.allow_log(r"memory|allocate|thread|store|suppressed|records|read|queue|list")

    def load(recipients):
        """Sessions without a thread have no answer, as in test_used_up.py."""
        return milter.load(
            build, daemon.milter, messages=40, connections=4, to="p%r@x.example",
            recipients=recipients, timeout_ms=1000,
        )

    results = [load(1)]
    for slack in (0, 256 << 10):
        set_limit(daemon, data_bytes(daemon) + slack)
        results += [load(4000), load(1)]
        assert daemon.is_running()
        set_limit(daemon, "unlimited")
    assert sum(result["tempfail"] for result in results) > 0, results
    last = load(4000)
    assert last["quarantine"] == 40, last
    results.append(load(1))
    assert results[-1]["accept"] + results[-1]["reject"] == 40, results[-1]
    assert sum(result["accept"] for result in results) <= BURST
    assert not re.search(r"^mailbraked: (error: |warning: |)$", daemon.text(), re.MULTILINE)
