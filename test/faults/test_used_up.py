"""File descriptors and threads are used up: what can't be served waits or is refused, nothing
spins, and mailbraked recovers by itself. And it doesn't answer at all."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import milter
from mailbraked import Command
from stores import MEMORY, redis_settings

BURST = 50
RATE = (
    f'{{ name = "r"; key = "all"; limit = "1 messages per 366d"; burst = {BURST};'
    ' action = "reject"; }'
)
USER = "news"  # runs nothing else here; root's threads are not limited


@contextlib.contextmanager
def limited(daemon, what, number):
    """Set by whoever it runs as: containers don't let root do so."""
    pid = daemon.process.pid
    as_user = ["setpriv", f"--reuid={daemon.user}", "--clear-groups"] if daemon.user else []

    def set_soft(soft):
        subprocess.run([*as_user, "prlimit", f"--pid={pid}", f"--{what}={soft}:"], check=True)

    set_soft(number)
    yield
    set_soft(4096)


def entries(daemon, name):
    return len(os.listdir(f"/proc/{daemon.process.pid}/{name}"))


def cpu_s(daemon):
    words = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def check_rest(daemon):
    """It does next to nothing; what spins takes a part of the machine, however busy."""
    began = cpu_s(daemon)
    time.sleep(2)
    used = cpu_s(daemon) - began
    assert used < 0.2, f"{used} s of 2"


@contextlib.contextmanager
def knocking(path, count):
    """So many connections to a socket, as far as its backlog takes them."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(0.2)
            try:
                one.connect(str(path))
            except OSError:
                break
        yield


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_without_descriptors_it_rests_and_recovers(mailbraked, build, own_redis, kind):
    """Redis, too, is lost meanwhile."""
    store = dict(MEMORY)
    if kind == "redis":
        store = redis_settings(own_redis, on_failure="tempfail", timeout_ms=250)
    daemon = mailbraked(store, rules=RATE)
    daemon.allow_log(r"store|Redis|open files|judged|suppressed|count|read|queue")
    for name in ("milter.sock", "control.sock"):
        with limited(daemon, "nofile", entries(daemon, "fd") + 6):
            with knocking(daemon.dir / name, 40):
                check_rest(daemon)
                if kind == "redis":
                    own_redis.command("CLIENT", "KILL", "TYPE", "normal")
                    check_rest(daemon)
    deadline = time.monotonic() + 5
    accepted = 0
    while accepted < BURST and time.monotonic() < deadline:
        accepted += milter.load(build, daemon.milter, messages=BURST, connections=8)["accept"]
    result = milter.load(build, daemon.milter, messages=BURST, connections=8)
    assert (accepted, result["reject"]) == (BURST, BURST), result
    assert Command(build, daemon.config).run("status").returncode == 0


def test_without_threads_some_mail_waits(mailbraked, build):
    """A session that gets no thread gets no answer: it is the MTA's milter_default_action's.
    No other suffers, and none is accepted for it."""
    daemon = mailbraked(MEMORY, rules=RATE, user=USER)
    daemon.allow_log(r"thread|Resource temporarily|suppressed")
    first = milter.load(build, daemon.milter, messages=10, connections=2)
    with limited(daemon, "nproc", entries(daemon, "task")):
        short = milter.load(build, daemon.milter, messages=2 * BURST, connections=20, timeout_ms=2000)
        with knocking(daemon.dir / "control.sock", 20):
            check_rest(daemon)
    then = milter.load(build, daemon.milter, messages=BURST, connections=20)
    assert then["accept"] + then["reject"] == BURST, then
    answered = short["accept"] + short["reject"]
    assert answered > 0 and answered + short["unanswered"] + short["broken"] == 2 * BURST, short
    assert first["accept"] + short["accept"] + then["accept"] <= BURST
    assert Command(build, daemon.config).run("status").returncode == 0


def test_the_command_gives_up_where_nobody_answers(mailbraked, build):
    daemon = mailbraked(MEMORY, rules=RATE)
    daemon.signal(signal.SIGSTOP)
    done = Command(build, daemon.config).run("status")
    daemon.signal(signal.SIGCONT)
    assert done.returncode == 1 and "it runs, but does not answer" in done.stderr, done
    assert Command(build, daemon.config).run("status").returncode == 0
