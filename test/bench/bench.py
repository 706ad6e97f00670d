"""The speed figures: mailbraked against the least that a milter can do, in turns.

Each figure is a median over pairs of runs, one of each side, so that what else happens on
the machine meets both. `script/bench --help` says what can be chosen."""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from mailbraked import Mailbraked  # noqa: E402
from peers import TWO_LIMITS, Postfwd, Rspamd, missing  # noqa: E402
from postfix import Postfix  # noqa: E402
from redis import Redis  # noqa: E402
from sides import (  # noqa: E402
    THREE_LIMITS, Brake, Build, Floor, SampleBrake, pairs, run,
)


def show(label, found):
    floor, ours = found["floor"], found["mailbraked"]
    print(
        f"{label:44} {ours['rate']:7.0f} {floor['rate']:7.0f} {found['ratio']:6.2f}"
        f" {ours['p50_us']:7.0f} {ours['p99_us']:7.0f}"
        f" {ours['cpu_us']:6.0f} {floor['cpu_us']:6.0f}"
        f" {ours['redis_us']:6.0f} {floor['redis_us']:6.0f}",
        flush=True,
    )


HEAD = (
    f"{'':44} {'msg/s':>7} {'floor':>7} {'ratio':>6} {'p50 us':>7} {'p99 us':>7}"
    f" {'cpu us':>6} {'floor':>6} {'redis':>6} {'floor':>6}"
)


def grid(build, folder, options):
    """Connections, messages a connection and recipients; with Redis and without."""
    out = []
    for store in ("redis", "memory"):
        redis = None
        if store == "redis":
            redis = Redis(pathlib.Path(folder) / "redis")
            redis.start()
        sides = (Floor(build, folder, redis), Brake(build, folder, redis))
        for recipients in (1, 50):
            for connections in (8, 64):
                for per_connection in (1, 50):
                    messages = options.messages // (3 if recipients > 1 else 1)
                    found = pairs(
                        build, sides, options.pairs, messages=messages, connections=connections,
                        per_connection=per_connection, recipients=recipients,
                        **{"from": "sender%c@district.example"},
                    )
                    label = (f"{store}, {connections} connections, {per_connection} a connection, "
                             f"{recipients} recipients")
                    show(label, found)
                    out.append({"store": store, "connections": connections,
                                "per_connection": per_connection, "recipients": recipients,
                                **found})
        for side in sides:
            side.stop()
        if redis is not None:
            redis.stop()
    return out


def sample(build, folder, options):
    """The rules of conf/mailbrake.conf against the floor's three buckets."""
    redis = Redis(pathlib.Path(folder) / "redis")
    redis.start()
    floor = Floor(build, folder, redis)
    brake = SampleBrake(build, folder, redis)
    out = []
    for connections in (8, 64):
        found = pairs(
            build, (floor, brake), options.pairs, messages=options.messages,
            connections=connections, per_connection=50, recipients=1,
            **{"from": "sender%n@district.example", "login": "person%n"},
            subject="about %w",
        )
        show(f"redis, the sample's rules, {connections} connections", found)
        out.append({"connections": connections, **found})
    for side in (floor, brake):
        side.stop()
    redis.stop()
    return out


def many_rules(count):
    """Rules of which none matches but the three limits at their end."""
    rules = [
        f'{{ name = "r{i}"; from = [ "login:office-{i}-*" ]; to = [ "desk{i}@*" ]; '
        f'reach_over = {i + 10}; action = "reject"; }},'
        for i in range(count - 3)
    ]
    return "\n".join(rules) + THREE_LIMITS


def many_lists(folder, count, members):
    """A virtual(5) file of so many lists with so many members each."""
    path = pathlib.Path(folder) / f"virtual-{count}-{members}"
    with open(path, "w") as file:
        for i in range(count):
            names = ", ".join(f"m{i * members + j}@district.example" for j in range(members))
            file.write(f"list{i}@district.example {names}\n")
    return {"sources": [{"virtual": str(path)}]}


def one_list(folder, members):
    path = pathlib.Path(folder) / f"members-{members}.txt"
    with open(path, "w") as file:
        file.writelines(f"m{i}@district.example\n" for i in range(members))
    return {"sources": [{"address": "list0@district.example", "file": str(path)}]}


def growth(build, folder, options):
    """CPU time a message as rules, lists, members and buckets grow; each against the
    smallest of its kind, in turns."""
    plain = {"from": "sender%c@district.example"}
    to_list = {**plain, "to": "list0@district.example"}
    kinds = {
        "rules": ([10, 100, 1000], lambda n: {"rules": many_rules(n)}, lambda n: plain),
        "lists": ([10, 100, 1000, 10000], lambda n: many_lists(folder, n, 20), lambda n: to_list),
        "members": ([1000, 10000, 100000, 1180000], lambda n: {"rules": TWO_LIMITS, **one_list(folder, n)},
                    lambda n: to_list),
        "buckets": ([100, 10000, 1000000], lambda n: {},
                    lambda n: {"from": "sender%n@district.example"}),
    }
    out = {}
    for kind, (sizes, settings, load) in kinds.items():
        out[kind] = {}
        for size in sizes:
            figures = []
            for turn in range(options.pairs):
                for n in (sizes[0], size):
                    figures.append((n, grown(build, folder, n, settings, load, kind, options)))
            small = statistics.median(f["cpu_us"] for n, f in figures[0::2])
            large = statistics.median(f["cpu_us"] for n, f in figures[1::2])
            ratio = statistics.median(
                b["cpu_us"] / a["cpu_us"] for (_, a), (_, b) in zip(figures[0::2], figures[1::2])
            )
            out[kind][size] = {"cpu_us": large, "against": small, "ratio": ratio}
            print(f"{kind:8} {size:>8}: {large:6.0f} us a message, {ratio:5.2f} of {sizes[0]}",
                  flush=True)
    return out


def grown(build, folder, size, settings, load, kind, options):
    redis = Redis(pathlib.Path(folder) / "redis")
    redis.start()
    if kind == "buckets":
        fill(redis, size)
    brake = Brake(build, folder, redis, **settings(size))
    found = run(build, brake, options.messages, 8, 50, 1, **load(size))
    found["cpu_us"] += found["redis_us"]
    brake.stop()
    redis.stop()
    shutil.rmtree(pathlib.Path(folder) / "redis")
    return found


def fill(redis, count):
    """So many buckets of others."""
    for first in range(1, count + 1, 10000):
        redis.command(
            "EVAL",
            "local now = redis.call('TIME')[1] for i = ARGV[1], ARGV[2] do redis.call('SET', "
            "'{mailbrake}:b:bench:' .. redis.sha1hex(i), '5 0 ' .. now .. '000', 'PX', 9999999) end",
            0, first, min(first + 9999, count),
        )


SYLLABLES = "an bel chi dor el fan go hu il jo ka lin mar no or pe ri sa tu vi".split()


def realistic(count, seed=1):
    """Addresses as directories export them: of three subdomains, in no order."""
    chance = random.Random(seed)

    def name():
        return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))

    found = set()
    while len(found) < count:
        part = chance.choice(("students", "staff", "alumni"))
        found.add(f"{name()}.{name()}{chance.randint(1, 999)}@{part}.district.example\n")
    found = sorted(found)
    chance.shuffle(found)
    return found


def list_files(folder, members):
    """Sources for member files: members by the name of their list."""
    sources = []
    for name, lines in members.items():
        path = pathlib.Path(folder) / f"{name}.txt"
        path.write_text("".join(lines))
        sources.append({"address": f"{name}@district.example", "file": str(path)})
    return {"sources": sources}


def rss_bytes(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


def timed(words, **options):
    started = time.monotonic()
    subprocess.run(words, capture_output=True, **options)
    return time.monotonic() - started


def loading(build, folder, options):
    """A list of a million: its time against sort -u, its memory, its reload under load; and
    the reach of ten lists of 118,000."""
    million = realistic(1000000)
    out = {
        "time": {
            "in no order": sort_pairs(build, folder, "shuffled", million, options),
            "sorted": sort_pairs(build, folder, "sorted", sorted(million), options),
        },
        "memory": memory(build, folder, million),
        "reload": reload_pairs(build, folder, million, options),
        "reach": reaches(build, folder),
    }
    return out


def sort_pairs(build, folder, name, members, options):
    place = pathlib.Path(folder) / name
    place.mkdir()
    daemon = Mailbraked(build, place)
    settings = list_files(place, {name: members})
    daemon.configure({"type": "memory"}, THREE_LIMITS, **settings)
    path = settings["sources"][0]["file"]
    os.utime(path, (time.time() - 60,) * 2)
    ratios, ours, theirs = [], [], []
    for _ in range(options.pairs):
        theirs.append(timed(["sort", "-u", "-o", "/dev/null", path],
                            env={**os.environ, "LC_ALL": "C"}, check=True))
        ours.append(timed([build.mailbrake, "check", "-c", daemon.config]))
        ratios.append(ours[-1] / theirs[-1])
    out = {"check_s": statistics.median(ours), "sort_s": statistics.median(theirs),
           "ratio": statistics.median(ratios)}
    print(f"a million members, {name}: check {out['check_s']:.3f} s, "
          f"sort -u {out['sort_s']:.3f} s, ratio {out['ratio']:.2f}", flush=True)
    return out


def memory(build, folder, members):
    """What mailbraked grows by: at the start, and after reloads of the same file."""
    sizes = {}
    for name, lines in (("empty", members[:1]), ("full", members)):
        place = pathlib.Path(folder) / name
        place.mkdir()
        daemon = Mailbraked(build, place)
        daemon.configure({"type": "memory"}, THREE_LIMITS, **list_files(place, {name: lines}))
        daemon.start()
        sizes[name] = [rss_bytes(daemon.process.pid)]
        for _ in range(3):
            daemon.reload()
            time.sleep(1)
        sizes[name].append(rss_bytes(daemon.process.pid))
        daemon.kill()
    start, later = ((full - empty) / len(members) for empty, full in zip(*sizes.values()))
    text = sum(map(len, members)) / len(members)
    print(f"memory: {start:.1f} bytes an address of {text:.1f}, {later:.1f} after 3 reloads",
          flush=True)
    return {"bytes": start, "after_reloads": later, "text": text}


def reload_pairs(build, folder, members, options):
    """The p99 of mail while the list is loaded again and again, against no reloads."""
    place = pathlib.Path(folder) / "reload"
    place.mkdir()
    brake = Brake(build, place, **list_files(place, {"all": members}))
    differences, figures = [], {False: [], True: []}
    for _ in range(options.pairs):
        for reloads in (False, True):
            stop = threading.Event()
            thread = threading.Thread(target=reload_until, args=(brake.daemon, stop))
            if reloads:
                thread.start()
            found = run(build, brake, options.messages, 8, 50, 1,
                        **{"from": "sender%c@district.example"})
            stop.set()
            if reloads:
                thread.join()
            figures[reloads].append(found["p99_us"] / 1000)
        differences.append(figures[True][-1] - figures[False][-1])
    brake.stop()
    out = {"p99_ms": statistics.median(figures[False]),
           "reloading_p99_ms": statistics.median(figures[True]),
           "moved_ms": statistics.median(differences)}
    print(f"reloads under load: p99 {out['p99_ms']:.1f} ms, {out['reloading_p99_ms']:.1f} ms "
          f"while a million members are loaded without pause", flush=True)
    return out


def reload_until(daemon, stop):
    while not stop.is_set():
        daemon.reload()


def reaches(build, folder):
    """One list, and the union of ten of 118,000 persons each, any of 590,000."""
    people = realistic(590000, seed=2)
    chance = random.Random(3)
    lists = {f"list{i}": chance.sample(people, 118000) for i in range(10)}
    place = pathlib.Path(folder) / "reach"
    place.mkdir()
    daemon = Mailbraked(build, place)
    daemon.configure({"type": "memory"}, THREE_LIMITS, **list_files(place, lists))
    words = [build.reach, daemon.config, *(f"{name}@district.example" for name in lists)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    out = json.loads(done.stdout)
    print(f"reach: one list {out['one_ns'] / 1000:.2f} us, ten {out['all_ns'] / 1000:.0f} us",
          flush=True)
    return out


def peers(build, folder, options):
    """rspamd's ratelimit as a milter with the same two limits."""
    if missing(Rspamd):
        print("peers: apt-get install rspamd, then it is measured too")
        return None
    redis = Redis(pathlib.Path(folder) / "redis")
    redis.start()
    sides = (Rspamd(folder, redis), Brake(build, folder, redis, TWO_LIMITS))
    out = []
    for per_connection in (1, 50):
        found = pairs(
            build, sides, options.pairs, messages=options.messages // 2, connections=8,
            per_connection=per_connection, recipients=1,
            **{"from": "sender%c@district.example"},
        )
        ours, theirs = found["mailbraked"]["rate"], found["rspamd"]["rate"]
        print(f"8 connections, {per_connection:2} a connection: {ours:.0f} messages/s, rspamd "
              f"{theirs:.0f}: {found['ratio']:.2f} times", flush=True)
        out.append({"per_connection": per_connection, **found})
    for side in sides:
        side.stop()
    redis.stop()
    return out


class Alone:
    """Postfix with neither milter nor policy server."""

    name = "alone"

    def stop(self):
        pass


def postfix(build, folder, options):
    """Messages a second that a real Postfix takes: alone, and with each of these."""
    redis = Redis(pathlib.Path(folder) / "redis")
    milters = pathlib.Path(folder) / "milters"
    milters.mkdir()
    shutil.chown(milters, group="postfix")
    milters.chmod(0o2750)
    with contextlib.ExitStack() as stack:
        # The queue is on a disk, as any queue is.
        disk = stack.enter_context(tempfile.TemporaryDirectory(prefix="mailbrake-", dir="/var/tmp"))
        os.chmod(disk, 0o755)
        mta = Postfix(disk)
        for server in (redis, mta):
            server.start()
            stack.callback(server.stop)
        kinds = [lambda: Floor(build, milters, redis),
                 lambda: Brake(build, milters, redis, TWO_LIMITS)]
        if options.peers and not missing(Rspamd):
            kinds.append(lambda: Rspamd(milters, redis))
        if options.peers and not missing(Postfwd):
            kinds.append(lambda: Postfwd(folder))
        sides = [Alone()]
        for kind in kinds:
            sides.append(kind())
            stack.callback(sides[-1].stop)
        return through(mta, sides, options)


def through(mta, sides, options):
    rates = {side.name: [] for side in sides}
    for _ in range(options.pairs):
        for side in sides:
            milter, policy = getattr(side, "socket", None), getattr(side, "port", None)
            mta.set_main(smtpd_milters=f"unix:{milter}" if milter else "",
                         smtpd_recipient_restrictions=(
                             f"check_policy_service inet:127.0.0.1:{policy}" if policy else ""),
                         transport_maps="", default_transport="discard:",
                         local_transport="discard:")
            send(mta, 200)
            rates[side.name].append(send(mta, options.messages // 10))
    out = {}
    for name, found in rates.items():
        ratios = [ours / alone for ours, alone in zip(found, rates["alone"])]
        out[name] = {"rate": statistics.median(found), "ratio": statistics.median(ratios)}
        print(f"through Postfix, {name:12} {out[name]['rate']:6.0f} messages/s, "
              f"{out[name]['ratio']:.2f} of Postfix alone", flush=True)
    return out


def send(mta, messages):
    """Messages a second over 8 connections, until all are taken and delivered."""
    started = time.monotonic()
    subprocess.run(
        ["smtp-source", "-s", "8", "-m", str(messages), "-f", "office@district.example"]
        + ["-t", "parent@family.example", "-l", "2000", f"127.0.0.1:{mta.port}"],
        check=True,
    )
    mta.wait_idle(60)
    return messages / (time.monotonic() - started)


PARTS = {"grid": grid, "sample": sample, "growth": growth, "loading": loading,
         "peers": peers, "postfix": postfix}


def end_children():
    """What a run that failed has left."""
    for task in pathlib.Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--build", default="build/release", help="folder of a release build")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side (default 5)")
    parser.add_argument("--messages", type=int, default=20000, help="a run (default 20000)")
    parser.add_argument("--peers", action="store_true", help="rspamd and postfwd as well")
    parser.add_argument("--json", help="write the figures there as well")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = Build(pathlib.Path(options.build).resolve())
    out = {"cores": os.cpu_count(), "pairs": options.pairs, "messages": options.messages}
    with tempfile.TemporaryDirectory(prefix="mailbrake-bench-", dir="/run") as folder:
        os.chmod(folder, 0o755)  # for Postfix
        print(HEAD)
        try:
            for part in options.parts or [p for p in PARTS if p != "peers" or options.peers]:
                place = pathlib.Path(folder) / part
                place.mkdir()
                out[part] = PARTS[part](build, place, options)
        finally:
            end_children()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
