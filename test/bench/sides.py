"""What is measured in turns: the floor, mailbraked, and one run of the load over either."""

import json
import os
import pathlib
import statistics
import subprocess

from mailbraked import Mailbraked
from postfix import wait_until

HERE = pathlib.Path(__file__).parent
TICK = 1 / os.sysconf("SC_CLK_TCK")

# Three buckets, as the floor has them: none of them ever runs out.
THREE_LIMITS = """
    { name = "a"; key = "sender"; limit = "1000000 messages per 1s"; burst = 1000000000;
      action = "defer"; },
    { name = "b"; key = "client"; limit = "1000000 messages per 1s"; burst = 1000000000;
      action = "defer"; },
    { name = "c"; key = "sender"; limit = "1000000 recipients per 1s"; burst = 1000000000;
      action = "defer"; }
"""


class Build:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.mailbraked = self.dir / "daemon" / "mailbraked"
        self.mailbrake = self.dir / "cli" / "mailbrake"
        self.load = self.dir / "test" / "support" / "milter-load"
        self.floor = self.dir / "test" / "bench" / "bench-floor"
        self.reach = self.dir / "test" / "bench" / "bench-reach"

    def kill(self, process):
        process.kill()
        process.wait()


def cpu_s(pid):
    """User and system time of a process, all threads that ever ran in it."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


class Floor:
    """The bare filter; without Redis it only says yes."""

    name = "floor"

    def __init__(self, build, folder, redis=None):
        self.socket = pathlib.Path(folder) / "floor.sock"
        self.redis = redis
        self.socket.unlink(missing_ok=True)
        words = [build.floor, f"unix:{self.socket}"]
        if redis is not None:
            words += [redis.socket, (HERE / "floor.lua").read_text()]
        self.process = subprocess.Popen(words)
        wait_until(self.socket.exists, 10, "the floor does not come up")
        self.socket.chmod(0o666)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Brake:
    """mailbraked, with rules of the bench's own or the sample's."""

    name = "mailbraked"

    def __init__(self, build, folder, redis=None, rules=THREE_LIMITS, **settings):
        store = {"type": "memory"}
        if redis is not None:
            store = {"type": "redis", "server": f"unix:{redis.socket}", "connections": 8,
                     "timeout_ms": 2000}
        self.redis = redis
        self.daemon = Mailbraked(build, pathlib.Path(folder) / "mailbraked")
        self.daemon.configure(store, rules, **settings)
        self.daemon.start()
        self.socket = self.daemon.milter_socket
        self.process = self.daemon.process

    def stop(self):
        self.daemon.kill()


def run(build, side, messages, connections, per_connection, recipients, **words):
    """One load; its rate, latencies and CPU time a message."""
    before = cpu_s(side.process.pid)
    redis_before = cpu_s(side.redis._process.pid) if side.redis else 0
    extra = [f"--{name}={value}" for name, value in words.items()]
    done = subprocess.run(
        [build.load, "--socket", f"unix:{side.socket}", "--messages", str(messages)]
        + ["--connections", str(connections), "--per-connection", str(per_connection)]
        + ["--recipients", str(recipients), "--timeout-ms", "30000", *extra],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    if told["accept"] != messages:
        raise SystemExit(f"{side.name}: {messages - told['accept']} of {messages} messages "
                         f"were not accepted: {done.stdout}")
    after = cpu_s(side.process.pid)
    redis_after = cpu_s(side.redis._process.pid) if side.redis else 0
    return {
        "rate": messages / told["elapsed_us"] * 1e6,
        "p50_us": told["latency_us"]["p50"],
        "p99_us": told["latency_us"]["p99"],
        "cpu_us": (after - before) / messages * 1e6,
        "redis_us": (redis_after - redis_before) / messages * 1e6,
    }


def pairs(build, sides, count, **load):
    """Runs of both sides in turns; medians of each, and of the ratio of rates."""
    figures = ([], [])
    for _ in range(count):
        for side, found in zip(sides, figures):
            found.append(run(build, side, **load))
    ratios = [ours["rate"] / floor["rate"] for floor, ours in zip(*figures)]
    out = {"ratio": statistics.median(ratios), "ratios": [min(ratios), max(ratios)]}
    for side, found in zip(sides, figures):
        out[side.name] = {key: statistics.median(one[key] for one in found) for key in found[0]}
    return out


class SampleBrake(Brake):
    """mailbraked with the shipped sample, but for where its sockets and lists are."""

    def __init__(self, build, folder, redis):
        folder = pathlib.Path(folder) / "sample"
        folder.mkdir()
        (folder / "lists").mkdir()
        (folder / "lists" / "allstudents.txt").write_text(
            "".join(f"student{i}@district.example\n" for i in range(10000))
        )
        text = (HERE.parent.parent / "conf" / "mailbrake.conf").read_text()
        self.redis = redis
        self.daemon = Mailbraked(build, folder)
        for old, new in (
            ("unix:/var/spool/postfix/mailbrake/milter.sock", self.daemon.milter),
            ("/run/mailbrake/control.sock", str(folder / "control.sock")),
            ("tcp:127.0.0.1:6379", f"unix:{redis.socket}"),
            ("/var/lib/mailbrake/state", str(folder / "state")),
        ):
            text = text.replace(f'"{old}"', f'"{new}"')
        self.daemon.write(text)
        self.daemon.start()
        self.socket = self.daemon.milter_socket
        self.process = self.daemon.process
